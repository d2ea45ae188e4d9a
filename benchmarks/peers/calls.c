/* Makes system calls in a pinned loop. A line "KIND COUNT" on stdin is answered by the CPU time of one call, in ns. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1e9 + now.tv_nsec;
}

int main(int count, char **words) /* CPU, file, mark */
{
    char line[64], kind[32], bytes[64] = {1};
    long times;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(count > 2 ? atoi(words[1]) : 0, &one);
    sched_setaffinity(0, sizeof(one), &one);
    int file = count > 2 ? open(words[2], O_RDWR | O_CREAT, 0600) : -1;
    if (file < 0 || pwrite(file, bytes, sizeof(bytes), 0) < 0)
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof(line), stdin) && sscanf(line, "%31s %ld", kind, &times) == 2) {
        double begin = cpu_ns();
        for (long n = 0; n < times; n++) {
            if (kind[0] == 'g')
                syscall(SYS_getppid);
            else if (kind[0] == 'p' && pread(file, bytes, 1, 0) < 0)
                return 1;
            else if (kind[0] == 'w' && pwrite(file, bytes, 1, 0) < 0)
                return 1;
        }
        printf("%.2f\n", (cpu_ns() - begin) / times);
    }
    return 0;
}
