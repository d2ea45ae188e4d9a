BPF_TABLE("percpu_hash", u32, u64, first_calls, FIRST_CALLS_ENTRIES);

int is_first(void *ctx)
{
    if (is_on(SWITCH_FIRST))
        parsers.call(ctx, CALL_COUNT_FIRST);
    lose(LOST_SKIPPED_FIRST);
    parsers.call(ctx, CALL_IS_FIRST + 1);
    return 0;
}

int count_first(void *ctx)
{
    u32 program = program_of_current();
    u64 step = PARAMETER_FIRST_STEP, *count;

    count = first_calls.lookup(&program);
    if (count)
        *count += step;
    else if (first_calls.update(&program, &step))
        lose(LOST_FIRST_FULL);
    parsers.call(ctx, CALL_IS_FIRST + 1);
    return 0;
}
