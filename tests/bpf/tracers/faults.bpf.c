BPF_TABLE("percpu_hash", u32, u64, faults, FAULTS_ENTRIES);

int on_fault(void *ctx)
{
    u32 program = program_of_current();
    u64 one = 1, *count;

    if (program == PROGRAM_OTHER)
        return 0;
    count = faults.lookup(&program);
    if (count)
        (*count)++;
    else if (faults.update(&program, &one))
        lose(LOST_FULL);
    return 0;
}
