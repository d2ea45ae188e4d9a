BPF_TABLE("percpu_hash", u32, u64, second_calls, SECOND_CALLS_ENTRIES);

int is_second(void *ctx)
{
    if (is_on(SWITCH_SECOND))
        parsers.call(ctx, CALL_COUNT_SECOND);
    lose(LOST_SKIPPED_SECOND);
    parsers.call(ctx, CALL_NOBODY);
    return 0;
}

int count_second(void *ctx)
{
    u32 program = program_of_current();
    u64 step = PARAMETER_SECOND_STEP, *count;

    count = second_calls.lookup(&program);
    if (count)
        *count += step;
    else if (second_calls.update(&program, &step))
        lose(LOST_SECOND_FULL);
    return 0;
}
