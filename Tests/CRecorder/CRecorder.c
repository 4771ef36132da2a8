#define _GNU_SOURCE
#include "CRecorder.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

// Every function below replaces the C library's of its name, so inside here the kernel is called by number.

static int log_fd = -1;
static char top[4096];
static size_t top_length;
// Held over a call and its record, so that the log has them in the order in which they took effect.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

typedef long kernel_call(long number, ...);

static kernel_call *kernel(void) {
    static kernel_call *found;
    if (found == NULL) found = (kernel_call *)dlsym(RTLD_NEXT, "syscall");
    return found;
}

#define CALL(number, ...) kernel()(SYS_##number, __VA_ARGS__)
#define RECORDED(type, call, ...)               \
    do {                                        \
        if (log_fd < 0) return (type)(call);    \
        pthread_mutex_lock(&mutex);             \
        type result = (type)(call);             \
        int saved = errno;                      \
        if (result >= 0) { __VA_ARGS__; }       \
        errno = saved;                          \
        pthread_mutex_unlock(&mutex);           \
        return result;                          \
    } while (0)

static void die(const char *what) {
    dprintf(2, "recorder: %s: %s\n", what, strerror(errno));
    abort();
}

static void append(const void *bytes, size_t count) {
    const char *at = bytes;
    while (count > 0) {
        long done = CALL(write, log_fd, at, count);
        if (done < 0) die("write the log");
        at += done;
        count -= (size_t)done;
    }
}

static void record_bytes(int kind, const uint64_t n[5], const void *first, size_t first_count,
                         const void *second, size_t second_count) {
    uint32_t total = (uint32_t)(1 + 5 * 8 + 4 + first_count + 4 + second_count);
    char head[4 + 1 + 5 * 8 + 4];
    uint32_t count = (uint32_t)first_count;
    memcpy(head, &total, 4);
    head[4] = (char)kind;
    memcpy(head + 5, n, 40);
    memcpy(head + 45, &count, 4);
    append(head, sizeof head);
    append(first, first_count);
    count = (uint32_t)second_count;
    append(&count, 4);
    append(second, second_count);
}

#define RECORD(kind, first, first_count, second, second_count, ...) \
    record_bytes(kind, (uint64_t[5]){__VA_ARGS__}, first, first_count, second, second_count)
#define RECORD_NUMBERS(kind, ...) RECORD(kind, "", 0, "", 0, __VA_ARGS__)

/// The inode that `fd` has open if it lies below the directory, also without a name by now; else 0.
static uint64_t inode_below(int fd) {
    char link[64], path[4096 + 16];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long count = CALL(readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (count < (long)top_length || memcmp(path, top, top_length) != 0) return 0;
    if (count > (long)top_length && path[top_length] != '/') return 0;
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

static uint64_t inode_at(int directory, const char *path, int follows) {
    int fd = (int)CALL(openat, directory, path, O_PATH | O_CLOEXEC | (follows ? 0 : O_NOFOLLOW), 0);
    if (fd < 0) return 0;
    uint64_t inode = inode_below(fd);
    CALL(close, fd);
    return inode;
}

/// A name in a directory below the recorded one; `directory` is 0 where it lies elsewhere.
struct place {
    uint64_t directory;
    char name[256];
    struct stat status;
    int exists;
};

static struct place place_of(int directory, const char *path) {
    struct place place = {0};
    char parent[4096 + 8];
    size_t length = strnlen(path, sizeof parent - 8);
    while (length > 1 && path[length - 1] == '/') length--;
    size_t slash = length;
    while (slash > 0 && path[slash - 1] != '/') slash--;
    if (length - slash > 255) return place;
    memcpy(place.name, path + slash, length - slash);
    if (slash == 0) strcpy(parent, ".");
    else {
        memcpy(parent, path, slash);
        parent[slash] = 0;
    }
    int fd = (int)CALL(openat, directory, parent, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0) return place;
    place.directory = inode_below(fd);
    place.exists = place.directory != 0 && fstatat(fd, place.name, &place.status, AT_SYMLINK_NOFOLLOW) == 0;
    CALL(close, fd);
    return place;
}

static void record_create(uint64_t directory, const char *name, const struct stat *status, const char *target) {
    RECORD(FIRN_RECORD_CREATE, name, strlen(name), target, strlen(target), directory, status->st_ino,
           status->st_mode, status->st_rdev, (uint64_t)status->st_uid << 32 | status->st_gid);
}

static void created(int directory, const char *path, const char *target) {
    struct place place = place_of(directory, path);
    if (place.exists) record_create(place.directory, place.name, &place.status, target);
}

int firn_recorder_start(const char *directory, const char *log) {
    int fd = (int)CALL(openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    struct stat status;
    if (fd < 0 || stat(directory, &status) != 0 || strlen(directory) >= sizeof top) return -1;
    strcpy(top, directory);
    top_length = strlen(top);
    log_fd = fd;
    RECORD_NUMBERS(FIRN_RECORD_TOP, status.st_ino);
    return 0;
}

void firn_recorder_mark(const char *text) {
    pthread_mutex_lock(&mutex);
    RECORD(FIRN_RECORD_MARK, text, strlen(text), "", 0, 0);
    pthread_mutex_unlock(&mutex);
}

// Calls that the C library has no function for come by number. Where the kernel lacks them the caller has another
// way, by functions that are recorded.
long syscall(long number, ...) {
    enum { setxattrat = 463, removexattrat = 466 };
    if (number == SYS_openat2 || (number >= setxattrat && number <= removexattrat)) {
        errno = ENOSYS;
        return -1;
    }
    long values[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++) values[i] = va_arg(arguments, long);
    va_end(arguments);
    return kernel()(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

// Opening

static int opened(int directory, const char *path, int flags, mode_t mode) {
    int isNameless = (flags & O_TMPFILE) == O_TMPFILE;
    if (log_fd < 0 || !(isNameless || flags & (O_CREAT | O_TRUNC)))
        return (int)CALL(openat, directory, path, flags, mode);
    pthread_mutex_lock(&mutex);
    struct place place = {0};
    struct stat status, before;
    int isNew = 0;
    if (isNameless) isNew = 1;
    else {
        place = place_of(directory, path);
        isNew = place.directory != 0 && !place.exists;
    }
    int hadBytes = !isNew && fstatat(directory, path, &before, 0) == 0 && before.st_size > 0;
    int fd = (int)CALL(openat, directory, path, flags, mode);
    int saved = errno;
    if (fd >= 0 && inode_below(fd) != 0 && fstat(fd, &status) == 0) {
        if (isNew) record_create(place.directory, place.name, &status, "");
        else if (flags & O_TRUNC && hadBytes) RECORD_NUMBERS(FIRN_RECORD_TRUNCATE, status.st_ino, 0);
    }
    errno = saved;
    pthread_mutex_unlock(&mutex);
    return fd;
}

#define MODE_ARGUMENT                                   \
    mode_t mode = 0;                                    \
    if (flags & (O_CREAT | O_TMPFILE)) {                \
        va_list arguments;                              \
        va_start(arguments, flags);                     \
        mode = va_arg(arguments, mode_t);               \
        va_end(arguments);                              \
    }

int open(const char *path, int flags, ...) { MODE_ARGUMENT return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_ARGUMENT return opened(AT_FDCWD, path, flags, mode); }
int openat(int directory, const char *path, int flags, ...) {
    MODE_ARGUMENT return opened(directory, path, flags, mode);
}
int openat64(int directory, const char *path, int flags, ...) {
    MODE_ARGUMENT return opened(directory, path, flags, mode);
}
int creat(const char *path, mode_t mode) {
    return opened(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

// Bytes

static void wrote(int fd, off_t offset, const void *bytes, ssize_t count) {
    uint64_t inode = count > 0 ? inode_below(fd) : 0;
    if (inode != 0) RECORD(FIRN_RECORD_WRITE, bytes, (size_t)count, "", 0, inode, (uint64_t)offset);
}

/// What the kernel put into the file by itself, read back.
static void copied(int fd, off_t offset, ssize_t count) {
    if (count <= 0 || inode_below(fd) == 0) return;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int reading = (int)CALL(openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
    char *bytes = malloc((size_t)count);
    if (reading < 0 || bytes == NULL || CALL(pread64, reading, bytes, count, offset) != count) die("read back");
    wrote(fd, offset, bytes, count);
    free(bytes);
    CALL(close, reading);
}

static off_t position(int fd, ssize_t count) { return CALL(lseek, fd, 0, SEEK_CUR) - count; }

ssize_t write(int fd, const void *bytes, size_t count) {
    RECORDED(ssize_t, CALL(write, fd, bytes, count), wrote(fd, position(fd, result), bytes, result));
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    RECORDED(ssize_t, CALL(pwrite64, fd, bytes, count, offset), wrote(fd, offset, bytes, result));
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite(fd, bytes, count, offset);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    RECORDED(ssize_t, CALL(writev, fd, parts, count), copied(fd, position(fd, result), result));
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    RECORDED(ssize_t, CALL(pwritev, fd, parts, count, offset, 0), copied(fd, offset, result));
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) {
    return pwritev(fd, parts, count, offset);
}
ssize_t copy_file_range(int source, off_t *source_offset, int target, off_t *target_offset, size_t count,
                        unsigned int flags) {
    off_t at = target_offset != NULL ? *target_offset : CALL(lseek, target, 0, SEEK_CUR);
    RECORDED(ssize_t, CALL(copy_file_range, source, source_offset, target, target_offset, count, flags),
             copied(target, at, result));
}
ssize_t sendfile(int target, int source, off_t *offset, size_t count) {
    RECORDED(ssize_t, CALL(sendfile, target, source, offset, count),
             copied(target, position(target, result), result));
}
ssize_t sendfile64(int target, int source, off_t *offset, size_t count) {
    return sendfile(target, source, offset, count);
}

static void resized(int fd, uint64_t size) {
    uint64_t inode = inode_below(fd);
    if (inode != 0) RECORD_NUMBERS(FIRN_RECORD_TRUNCATE, inode, size);
}
int ftruncate(int fd, off_t size) {
    RECORDED(int, CALL(ftruncate, fd, size), resized(fd, (uint64_t)size));
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }
int truncate(const char *path, off_t size) {
    RECORDED(int, CALL(truncate, path, size), {
        uint64_t inode = inode_at(AT_FDCWD, path, 1);
        if (inode != 0) RECORD_NUMBERS(FIRN_RECORD_TRUNCATE, inode, (uint64_t)size);
    });
}
int truncate64(const char *path, off_t size) { return truncate(path, size); }

static void allocated(int fd, int mode, off_t offset, off_t length) {
    uint64_t inode = inode_below(fd);
    struct stat status;
    if (inode == 0 || fstat(fd, &status) != 0) return;
    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
        errno = ENOTSUP;
        die("fallocate of a kind that is not recorded");
    }
    if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        RECORD_NUMBERS(FIRN_RECORD_ZERO, inode, (uint64_t)offset, (uint64_t)length);
    RECORD_NUMBERS(FIRN_RECORD_TRUNCATE, inode, (uint64_t)status.st_size);
}
int fallocate(int fd, int mode, off_t offset, off_t length) {
    RECORDED(int, CALL(fallocate, fd, mode, offset, length), allocated(fd, mode, offset, length));
}
int fallocate64(int fd, int mode, off_t offset, off_t length) { return fallocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) {
    return fallocate(fd, 0, offset, length) == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off_t offset, off_t length) { return posix_fallocate(fd, offset, length); }

static void cloned(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) die("fstat");
    resized(fd, (uint64_t)status.st_size);
    copied(fd, 0, status.st_size);
}
int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    RECORDED(int, CALL(ioctl, fd, request, argument), {
        if (request == FICLONE || request == FICLONERANGE) cloned(fd);
    });
}

// Names

int mkdirat(int directory, const char *path, mode_t mode) {
    RECORDED(int, CALL(mkdirat, directory, path, mode), created(directory, path, ""));
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
int mknodat(int directory, const char *path, mode_t mode, dev_t device) {
    RECORDED(int, CALL(mknodat, directory, path, mode, (unsigned int)device), created(directory, path, ""));
}
int mknod(const char *path, mode_t mode, dev_t device) { return mknodat(AT_FDCWD, path, mode, device); }
int symlinkat(const char *target, int directory, const char *path) {
    RECORDED(int, CALL(symlinkat, target, directory, path), created(directory, path, target));
}
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }

int linkat(int directory, const char *path, int new_directory, const char *new_path, int flags) {
    RECORDED(int, CALL(linkat, directory, path, new_directory, new_path, flags), {
        struct place place = place_of(new_directory, new_path);
        if (place.exists)
            RECORD(FIRN_RECORD_LINK, place.name, strlen(place.name), "", 0, place.directory,
                   place.status.st_ino);
    });
}
int link(const char *path, const char *new_path) { return linkat(AT_FDCWD, path, AT_FDCWD, new_path, 0); }

int unlinkat(int directory, const char *path, int flags) {
    struct place place = {0};
    if (log_fd >= 0) place = place_of(directory, path);
    RECORDED(int, CALL(unlinkat, directory, path, flags), {
        if (place.directory != 0)
            RECORD(FIRN_RECORD_UNLINK, place.name, strlen(place.name), "", 0, place.directory);
    });
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int renameat2(int directory, const char *path, int new_directory, const char *new_path, unsigned int flags) {
    struct place from = {0}, to = {0};
    if (log_fd >= 0) {
        from = place_of(directory, path);
        to = place_of(new_directory, new_path);
    }
    RECORDED(int, CALL(renameat2, directory, path, new_directory, new_path, flags), {
        struct place left = place_of(directory, path);
        // One name of a file onto another of the same file: nothing happens.
        int isSame = flags == 0 && from.exists && to.exists && from.status.st_ino == to.status.st_ino;
        if (from.directory != 0 && to.directory != 0 && !isSame)
            RECORD(FIRN_RECORD_RENAME, from.name, strlen(from.name), to.name, strlen(to.name), from.directory,
                   to.directory, flags, flags & RENAME_WHITEOUT ? left.status.st_ino : 0);
    });
}
int renameat(int directory, const char *path, int new_directory, const char *new_path) {
    return renameat2(directory, path, new_directory, new_path, 0);
}
int rename(const char *path, const char *new_path) {
    return renameat2(AT_FDCWD, path, AT_FDCWD, new_path, 0);
}

// Attributes

static void mode_changed(uint64_t inode, mode_t mode) {
    if (inode != 0) RECORD_NUMBERS(FIRN_RECORD_MODE, inode, mode);
}
int fchmod(int fd, mode_t mode) {
    RECORDED(int, CALL(fchmod, fd, mode), mode_changed(inode_below(fd), mode));
}
int fchmodat(int directory, const char *path, mode_t mode, int flags) {
    (void)flags;
    RECORDED(int, CALL(fchmodat, directory, path, mode), mode_changed(inode_at(directory, path, 1), mode));
}
int chmod(const char *path, mode_t mode) { return fchmodat(AT_FDCWD, path, mode, 0); }

static void owner_changed(uint64_t inode, uid_t uid, gid_t gid) {
    if (inode != 0) RECORD_NUMBERS(FIRN_RECORD_OWNER, inode, uid, gid);
}
int fchown(int fd, uid_t uid, gid_t gid) {
    RECORDED(int, CALL(fchown, fd, uid, gid), owner_changed(inode_below(fd), uid, gid));
}
int fchownat(int directory, const char *path, uid_t uid, gid_t gid, int flags) {
    RECORDED(int, CALL(fchownat, directory, path, uid, gid, flags),
             owner_changed(inode_at(directory, path, !(flags & AT_SYMLINK_NOFOLLOW)), uid, gid));
}
int chown(const char *path, uid_t uid, gid_t gid) { return fchownat(AT_FDCWD, path, uid, gid, 0); }
int lchown(const char *path, uid_t uid, gid_t gid) {
    return fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

static void times_changed(int directory, const char *path, int flags) {
    uint64_t inode = path == NULL ? inode_below(directory)
                                  : inode_at(directory, path, !(flags & AT_SYMLINK_NOFOLLOW));
    struct stat status;
    if (inode == 0) return;
    int failed = path == NULL ? fstat(directory, &status) : fstatat(directory, path, &status, flags);
    if (failed != 0) die("stat after utimensat");
    RECORD_NUMBERS(FIRN_RECORD_TIMES, inode, (uint64_t)status.st_mtim.tv_sec,
                   (uint64_t)status.st_mtim.tv_nsec);
}
static int set_times(int directory, const char *path, const struct timespec times[2], int flags) {
    RECORDED(int, CALL(utimensat, directory, path, times, flags), times_changed(directory, path, flags));
}
int utimensat(int directory, const char *path, const struct timespec times[2], int flags) {
    return set_times(directory, path, times, flags);
}
int futimens(int fd, const struct timespec times[2]) { return set_times(fd, NULL, times, 0); }

static void attribute_set(uint64_t inode, const char *name, const void *value, size_t size) {
    if (inode != 0) RECORD(FIRN_RECORD_SET_ATTRIBUTE, name, strlen(name), value, size, inode);
}
static void attribute_removed(uint64_t inode, const char *name) {
    if (inode != 0) RECORD(FIRN_RECORD_REMOVE_ATTRIBUTE, name, strlen(name), "", 0, inode);
}
int setxattr(const char *path, const char *name, const void *value, size_t size, int flags) {
    RECORDED(int, CALL(setxattr, path, name, value, size, flags),
             attribute_set(inode_at(AT_FDCWD, path, 1), name, value, size));
}
int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags) {
    RECORDED(int, CALL(lsetxattr, path, name, value, size, flags),
             attribute_set(inode_at(AT_FDCWD, path, 0), name, value, size));
}
int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags) {
    RECORDED(int, CALL(fsetxattr, fd, name, value, size, flags),
             attribute_set(inode_below(fd), name, value, size));
}
int removexattr(const char *path, const char *name) {
    RECORDED(int, CALL(removexattr, path, name), attribute_removed(inode_at(AT_FDCWD, path, 1), name));
}
int lremovexattr(const char *path, const char *name) {
    RECORDED(int, CALL(lremovexattr, path, name), attribute_removed(inode_at(AT_FDCWD, path, 0), name));
}
int fremovexattr(int fd, const char *name) {
    RECORDED(int, CALL(fremovexattr, fd, name), attribute_removed(inode_below(fd), name));
}

// Durability

static void synced(int fd, int isDataOnly) {
    uint64_t inode = inode_below(fd);
    if (inode != 0) RECORD_NUMBERS(FIRN_RECORD_SYNC, inode, (uint64_t)isDataOnly);
}
int fsync(int fd) { RECORDED(int, CALL(fsync, fd), synced(fd, 0)); }
int fdatasync(int fd) { RECORDED(int, CALL(fdatasync, fd), synced(fd, 1)); }
int syncfs(int fd) {
    RECORDED(int, CALL(syncfs, fd), { if (inode_below(fd) != 0) RECORD_NUMBERS(FIRN_RECORD_SYNC_ALL, 0); });
}
