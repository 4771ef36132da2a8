// The inner loops that are measured, in C, so that an interpreter's own time does not hide what the filesystem takes.
//
//   loops make|read|stat DIRECTORY FILES PER-DIRECTORY    small files, see file_name()
//   loops link DIRECTORY FILES PER-DIRECTORY              looks at each and gives it a second name below
//                                                         DIRECTORY.objects, on all processors, and syncs
//   loops write FILE BYTES                                a new file in blocks of 1 MiB, synced
//   loops scan FILE                                       sequential reads of 1 MiB
//   loops random FILE READS JOBS                          so many reads of 4 KiB by each of JOBS threads
//   loops map FILE                                        maps the file and touches each of its pages
//   loops overwrite FILE WRITES                           write(2) calls of 4 KiB into the file's first 64 MiB
//
// Prints the seconds that the loop took.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SMALL = 4096, LARGE = 1 << 20, JOBS_MAX = 64 };
static const off_t OVERWRITTEN = 64 << 20;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int open_or_fail(const char *path, int flags) {
    int file = open(path, flags | O_CLOEXEC, 0644);
    if (file < 0) fail(path);
    return file;
}

// Also known to loops.py.
static void file_name(char *path, const char *directory, long number, long each) {
    sprintf(path, "%s/part-%05ld/f%06ld", directory, number / each, number % each);
}

// Bytes that no other run writes, and that `stamp` makes different within this one.
static void fill(char *block, size_t size) {
    srandom((unsigned)time(NULL) ^ (unsigned)getpid());
    for (size_t i = 0; i < size; i++) block[i] = (char)random();
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    memcpy(block + 8, &time, sizeof time);
}

static void stamp(char *block, int64_t number) { memcpy(block, &number, sizeof number); }

static void make_one(const char *path, char *block) {
    int file = open_or_fail(path, O_WRONLY | O_CREAT | O_EXCL);
    if (write(file, block, SMALL) != SMALL) fail(path);
    close(file);
}

static void read_one(const char *path, char *block) {
    int file = open_or_fail(path, O_RDONLY);
    if (read(file, block, SMALL) < 0) fail(path);
    close(file);
}

static void stat_one(const char *path) {
    struct stat status;
    if (stat(path, &status)) fail(path);
}

static void small_files(const char *mode, const char *directory, long count, long each) {
    char path[4096], block[SMALL];
    fill(block, sizeof block);
    for (long number = 0; number < count; number++) {
        if (*mode == 'm' && number % each == 0) {
            snprintf(path, sizeof path, "%s/part-%05ld", directory, number / each);
            if (mkdir(path, 0755)) fail(path);
        }
        file_name(path, directory, number, each);
        stamp(block, number);
        if (*mode == 'm') make_one(path, block);
        else if (*mode == 'r') read_one(path, block);
        else stat_one(path);
    }
}

struct links {
    const char *directory;
    long first, step, count, each;
};

static void *give_links(void *argument) {
    const struct links *links = argument;
    char path[4096], name[4096];
    for (long number = links->first; number < links->count; number += links->step) {
        file_name(path, links->directory, number, links->each);
        stat_one(path);
        // As digests are: evenly spread, and in no order.
        uint64_t digest = (uint64_t)(number + 1) * 0x9E3779B97F4A7C15u;
        snprintf(name, sizeof name, "%s.objects/%02x/%016lx", links->directory, (unsigned)(digest >> 56), digest);
        if (link(path, name)) fail(name);
    }
    return NULL;
}

static void link_all(const char *directory, long count, long each) {
    char path[4096];
    for (int first = 0; first < 256; first++) {
        snprintf(path, sizeof path, "%s.objects/%02x", directory, first);
        if (mkdir(path, 0755)) fail(path);
    }
    long jobs = sysconf(_SC_NPROCESSORS_ONLN);
    if (jobs > JOBS_MAX) jobs = JOBS_MAX;
    pthread_t threads[JOBS_MAX];
    struct links links[JOBS_MAX];
    for (long job = 0; job < jobs; job++) {
        links[job] = (struct links){directory, job, jobs, count, each};
        if (pthread_create(&threads[job], NULL, give_links, &links[job])) fail("pthread_create");
    }
    for (long job = 0; job < jobs; job++) pthread_join(threads[job], NULL);
    if (syncfs(open_or_fail(directory, O_RDONLY))) fail("syncfs");
}

static void write_large(const char *path, off_t bytes, char *block) {
    int file = open_or_fail(path, O_WRONLY | O_CREAT | O_EXCL);
    for (off_t done = 0; done < bytes; done += LARGE) {
        stamp(block, done);
        if (write(file, block, LARGE) != LARGE) fail(path);
    }
    if (fsync(file)) fail(path);
    close(file);
}

static void scan(const char *path, char *block) {
    int file = open_or_fail(path, O_RDONLY);
    ssize_t got;
    while ((got = read(file, block, LARGE)) > 0) continue;
    if (got < 0) fail(path);
    close(file);
}

static off_t size_of(int file) {
    struct stat status;
    if (fstat(file, &status)) fail("fstat");
    return status.st_size;
}

struct job { const char *path; long reads; uint64_t seed; };

static void *random_reads(void *argument) {
    struct job *job = argument;
    int file = open_or_fail(job->path, O_RDONLY);
    char block[SMALL];
    uint64_t blocks = size_of(file) / SMALL, state = job->seed;
    for (long i = 0; i < job->reads; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        if (pread(file, block, SMALL, (off_t)((state >> 33) % blocks * SMALL)) != SMALL) fail(job->path);
    }
    close(file);
    return NULL;
}

static void random_jobs(const char *path, long reads, long count) {
    if (count < 1 || count > JOBS_MAX) exit(2);
    pthread_t threads[JOBS_MAX];
    struct job jobs[JOBS_MAX];
    for (long i = 0; i < count; i++) {
        jobs[i] = (struct job){path, reads, (uint64_t)i * 7919 + 1};
        if (pthread_create(&threads[i], NULL, random_reads, &jobs[i])) fail("pthread_create");
    }
    for (long i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

static void map(const char *path) {
    int file = open_or_fail(path, O_RDONLY);
    off_t size = size_of(file);
    const volatile char *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
    if (bytes == MAP_FAILED) fail(path);
    for (off_t at = 0; at < size; at += SMALL) (void)bytes[at];
    munmap((void *)bytes, size);
    close(file);
}

static void overwrite(int file, long writes, char *block) {
    off_t at = 0;
    for (long i = 0; i < writes; i++, at += SMALL) {
        if (at == OVERWRITTEN) at = lseek(file, 0, SEEK_SET);
        if (write(file, block, SMALL) != SMALL) fail("write");
    }
}

int main(int count, char **words) {
    if (count < 3) return 2;
    const char *mode = words[1], *path = words[2];
    long first = count > 3 ? atol(words[3]) : 0, second = count > 4 ? atol(words[4]) : 0;
    char *block = malloc(LARGE);
    fill(block, LARGE);
    int file = strcmp(mode, "overwrite") ? -1 : open_or_fail(path, O_WRONLY);

    double start = now();
    if (!strcmp(mode, "write")) write_large(path, first, block);
    else if (!strcmp(mode, "scan")) scan(path, block);
    else if (!strcmp(mode, "random")) random_jobs(path, first, second);
    else if (!strcmp(mode, "map")) map(path);
    else if (!strcmp(mode, "overwrite")) overwrite(file, first, block);
    else if (!strcmp(mode, "link")) link_all(path, first, second);
    else if (second > 0) small_files(mode, path, first, second);
    else return 2;
    printf("%.9f\n", now() - start);
    return 0;
}
