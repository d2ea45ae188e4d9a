"""What relay passes on, for programs alone: lives in its worker."""

from scalpels_exporter.declare import Count, Counter, Field, Parameter, Parser, Table, Tracer

TRACER = Tracer(
    name="first",
    help="Calls that relay has passed on.",
    metrics=(Counter("scalpels_first_calls_total", "Calls passed on.", ("program",)),),
    runs=Parser(
        host="relay",
        programs=("count_first",),
        recognisers=("is_first",),
        tables=(Table("first_calls", (Field("program", "I", "program"),), (Count("scalpels_first_calls_total"),)),),
        lost=("skipped_first",),
    ),
    parameters=(Parameter("step", "integer", 1, "How much a call counts.", 1, 100),),
)
