/* A disk that takes its time: every flush waits before it is passed on. Loaded into PostgreSQL by LD_PRELOAD.
 *
 * BENCH_FLUSH_US is the wait in microseconds, 1000 if unset. Nothing else is changed: what is flushed, and
 * whether, stays as it was. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

typedef int (*flush)(int);

static void wait_first(void)
{
    const char *text = getenv("BENCH_FLUSH_US");
    long us = text != NULL ? atol(text) : 1000;
    struct timespec left = {us / 1000000, us % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0) {
    }
}

static int passed_on(const char *name, int descriptor)
{
    flush real = (flush)dlsym(RTLD_NEXT, name);
    wait_first();
    return real(descriptor);
}

int fsync(int descriptor) { return passed_on("fsync", descriptor); }

int fdatasync(int descriptor) { return passed_on("fdatasync", descriptor); }
