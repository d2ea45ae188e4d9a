"""What relay passes on, for programs alone: lives in its worker."""

from scalpels_exporter.declare import Count, Counter, Field, Parameter, Parser, Table, Tracer

TRACER = Tracer(
    name="second",
    help="Calls that relay has passed on.",
    metrics=(Counter("scalpels_second_calls_total", "Calls passed on.", ("program",)),),
    runs=Parser(
        host="relay",
        programs=("count_second",),
        recognisers=("is_second",),
        tables=(Table("second_calls", (Field("program", "I", "program"),), (Count("scalpels_second_calls_total"),)),),
        lost=("skipped_second",),
    ),
    parameters=(Parameter("step", "integer", 1, "How much a call counts.", 1, 100),),
)
