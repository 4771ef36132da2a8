#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

const int firn_O_PATH = O_PATH;
const int firn_O_TMPFILE = O_TMPFILE;
const int firn_AT_EMPTY_PATH = AT_EMPTY_PATH;
const int firn_AT_SYMLINK_FOLLOW = AT_SYMLINK_FOLLOW;
const long firn_UTIME_OMIT = UTIME_OMIT;
const long firn_UTIME_NOW = UTIME_NOW;
const int firn_SEEK_DATA = SEEK_DATA;
const int firn_SEEK_HOLE = SEEK_HOLE;

_Static_assert(FIRN_RENAME_WHITEOUT == RENAME_WHITEOUT, "renameat2 flags");

int firn_renameat2(int old_directory, const char *old_path, int new_directory, const char *new_path,
                   unsigned int flags) {
    return renameat2(old_directory, old_path, new_directory, new_path, flags);
}

int firn_open_by_names(int directory, const char *path, int flags, unsigned int mode) {
    if (path[0] == '/') {
        errno = EXDEV;
        return -1;
    }
    int current = directory;
    while (1) {
        char name[NAME_MAX + 1];
        size_t length = strcspn(path, "/");
        if (length > NAME_MAX) errno = ENAMETOOLONG;
        else if (length == 2 && path[0] == '.' && path[1] == '.') errno = EXDEV;
        else errno = 0;
        int next = -1;
        if (errno == 0) {
            memcpy(name, path, length);
            name[length] = 0;
            path += length + strspn(path + length, "/");
            next = *path ? openat(current, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                         : openat(current, name, flags | O_NOFOLLOW, mode);
            // O_DIRECTORY is looked at first.
            if (next < 0 && errno == ENOTDIR) {
                struct stat found;
                int is_link = fstatat(current, name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(found.st_mode);
                errno = is_link ? ELOOP : ENOTDIR;
            }
        }
        int error = errno;
        if (current != directory) close(current);
        errno = error;
        if (next < 0 || !*path) return next;
        current = next;
    }
}

int firn_openat(int directory, const char *path, int flags, unsigned int mode) {
    if (directory == AT_FDCWD) return openat(directory, path, flags, mode);
    struct open_how how = {
        .flags = (unsigned int)flags,
        .mode = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    int fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (fd >= 0 || errno != ENOSYS) return fd;
    return firn_open_by_names(directory, path, flags, mode);
}

int firn_open_parent(int directory, const char *path, size_t length) {
    char parent[PATH_MAX];
    if (length >= sizeof parent) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(parent, path, length);
    parent[length] = 0;
    return firn_openat(directory, parent, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

int firn_birth_time(int directory, const char *path, int64_t *seconds, int64_t *nanoseconds) {
    struct statx found;
    if (statx(directory, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_BTIME, &found) != 0) return -1;
    if (!(found.stx_mask & STATX_BTIME)) return 0;
    *seconds = found.stx_btime.tv_sec;
    *nanoseconds = found.stx_btime.tv_nsec;
    return 1;
}

int firn_change_flags(int fd, uint32_t flags, uint32_t mask) {
    unsigned int now = 0;
    if (ioctl(fd, FS_IOC_GETFLAGS, &now) != 0) return -1;
    unsigned int wanted = (now & ~mask) | (flags & mask);
    return wanted == now ? 0 : ioctl(fd, FS_IOC_SETFLAGS, &wanted);
}

int firn_syncfs(int fd) { return syncfs(fd); }

int firn_pidfd_open(int process) { return (int)syscall(SYS_pidfd_open, process, 0); }

int firn_wait_for_end(int process_descriptor, int milliseconds) {
    struct pollfd ended = {.fd = process_descriptor, .events = POLLIN};
    int count = poll(&ended, 1, milliseconds);
    if (count == 0) errno = ETIMEDOUT;
    return count == 1 ? 0 : -1;
}

int firn_clone(int target, int source) { return ioctl(target, FICLONE, source); }

long firn_copy_file_range(int source, long *source_offset, int target, long *target_offset,
                             size_t length) {
    return copy_file_range(source, source_offset, target, target_offset, length, 0);
}

int firn_fallocate(int fd, int mode, long offset, long length) {
    return fallocate(fd, mode, offset, length);
}

long firn_seek_data(int fd, long offset) { return lseek(fd, offset, SEEK_DATA); }
long firn_seek_hole(int fd, long offset) { return lseek(fd, offset, SEEK_HOLE); }

int firn_start_writeback(int fd) { return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); }

int firn_writeback_error(int fd) {
    // One byte where no file has any, so that there is nothing to wait for. See: linux/fs/sync.c, sync_file_range
    return sync_file_range(fd, LONG_MAX - 1, 1, SYNC_FILE_RANGE_WAIT_BEFORE);
}

void firn_release_memory(void) { malloc_trim(0); }

void firn_yield_to_others(void) {
    enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_CLASS_IDLE = 3, IOPRIO_CLASS_SHIFT = 13 };
    // To lower one's own is always allowed, and where it fails the work is done all the same.
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT);
}

// Newer than the headers of Debian 12.
enum { UNCACHED = 0x80 };

long firn_read_uncached(int fd, void *buffer, size_t size, long offset) {
    static atomic_int is_unknown;
    if (!is_unknown) {
        struct iovec vector = {buffer, size};
        ssize_t count = preadv2(fd, &vector, 1, offset, UNCACHED);
        if (count >= 0 || (errno != EOPNOTSUPP && errno != EINVAL)) return count;
        is_unknown = 1;
    }
    return pread(fd, buffer, size, offset);
}

int firn_advise_sequential(int fd) { return posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); }

// The numbers are the same on every architecture. See: linux/syscalls.h, sys_getxattrat
enum { SETXATTRAT = 463, GETXATTRAT = 464, LISTXATTRAT = 465, REMOVEXATTRAT = 466 };

struct xattr_value {
    uint64_t value;
    uint32_t size;
    uint32_t flags;
};
_Static_assert(sizeof(struct xattr_value) == 16, "struct xattr_args of linux/xattr.h");

static const char *path_in_proc(int directory, const char *path, char *buffer, size_t size) {
    if (directory == AT_FDCWD) return path;
    int length = snprintf(buffer, size, "/proc/self/fd/%d/%s", directory, path);
    if (length > 0 && (size_t)length < size) return buffer;
    errno = ENAMETOOLONG;
    return NULL;
}

long firn_getxattrat(int directory, const char *path, const char *name, void *value, size_t size) {
    struct xattr_value arguments = {.value = (uintptr_t)value, .size = size};
    long result =
        syscall(GETXATTRAT, directory, path, AT_SYMLINK_NOFOLLOW, name, &arguments, sizeof arguments);
    if (result >= 0 || errno != ENOSYS) return result;
    char buffer[PATH_MAX];
    const char *full = path_in_proc(directory, path, buffer, sizeof buffer);
    return full ? lgetxattr(full, name, value, size) : -1;
}

int firn_setxattrat(int directory, const char *path, const char *name, const void *value, size_t size,
                    int flags) {
    struct xattr_value arguments = {.value = (uintptr_t)value, .size = size, .flags = flags};
    int result =
        syscall(SETXATTRAT, directory, path, AT_SYMLINK_NOFOLLOW, name, &arguments, sizeof arguments);
    if (result >= 0 || errno != ENOSYS) return result;
    char buffer[PATH_MAX];
    const char *full = path_in_proc(directory, path, buffer, sizeof buffer);
    return full ? lsetxattr(full, name, value, size, flags) : -1;
}

long firn_listxattrat(int directory, const char *path, char *names, size_t size) {
    long result = syscall(LISTXATTRAT, directory, path, AT_SYMLINK_NOFOLLOW, names, size);
    if (result >= 0 || errno != ENOSYS) return result;
    char buffer[PATH_MAX];
    const char *full = path_in_proc(directory, path, buffer, sizeof buffer);
    return full ? llistxattr(full, names, size) : -1;
}

int firn_removexattrat(int directory, const char *path, const char *name) {
    int result = syscall(REMOVEXATTRAT, directory, path, AT_SYMLINK_NOFOLLOW, name);
    if (result >= 0 || errno != ENOSYS) return result;
    char buffer[PATH_MAX];
    const char *full = path_in_proc(directory, path, buffer, sizeof buffer);
    return full ? lremovexattr(full, name) : -1;
}

long firn_fgetxattr(int fd, const char *name, void *value, size_t size) {
    return fgetxattr(fd, name, value, size);
}
int firn_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags) {
    return fsetxattr(fd, name, value, size, flags);
}
long firn_flistxattr(int fd, char *names, size_t size) { return flistxattr(fd, names, size); }
int firn_fremovexattr(int fd, const char *name) { return fremovexattr(fd, name); }

int firn_unmount(const char *path, int detach) {
    return umount2(path, (detach ? MNT_DETACH : 0) | UMOUNT_NOFOLLOW);
}

int firn_abort_mount(const char *path) { return umount2(path, MNT_FORCE | UMOUNT_NOFOLLOW); }

static void termination_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

int firn_block_termination(void) {
    // SIGIO kills the holder of a broken lease and SIGPIPE the writer to a gone peer; both show as errors.
    signal(SIGPIPE, SIG_IGN);
    signal(SIGIO, SIG_IGN);
    sigset_t set;
    termination_signals(&set);
    // Whatever the parent had blocked does not concern a daemon.
    errno = pthread_sigmask(SIG_SETMASK, &set, NULL);
    return errno == 0 ? 0 : -1;
}

int firn_wait_termination(void) {
    sigset_t set;
    termination_signals(&set);
    int number = 0;
    while (sigwait(&set, &number) != 0) {
    }
    return number;
}

uint64_t firn_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

long firn_filesystem_type(int fd) {
    struct statfs buffer;
    return fstatfs(fd, &buffer) == 0 ? (long)buffer.f_type : -1;
}

static int spawn(const char *program, char *const *arguments, const int *descriptors, int count,
                 int detached) {
    int child = fork();
    if (child != 0) return child;
    // Only async-signal-safe calls from here: other threads may have held locks at the fork.
    if (detached) setsid();
    // First out of the way of the numbers they are to have, then onto them.
    int moved[16];
    for (int i = 0; i < count && i < 16; i++) {
        moved[i] = fcntl(descriptors[i], F_DUPFD, 64);
        if (moved[i] < 0) _exit(126);
    }
    for (int i = 0; i < count && i < 16; i++) {
        if (dup2(moved[i], i) < 0) _exit(126);
    }
    close_range(count, ~0U, 0);
    execv(program, arguments);
    _exit(127);
}

int firn_spawn_detached(const char *program, char *const *arguments, const int *descriptors, int count) {
    return spawn(program, arguments, descriptors, count, 1);
}

int firn_spawn_child(const char *program, char *const *arguments, const int *descriptors, int count) {
    return spawn(program, arguments, descriptors, count, 0);
}

int firn_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

void *firn_map_shared(int fd, size_t length) {
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void firn_unmap(void *memory, size_t length) { munmap(memory, length); }

int firn_punch_hole(int fd, long offset, long length) {
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

void firn_publish(uint64_t *place, uint64_t value) { __atomic_store_n(place, value, __ATOMIC_RELEASE); }

#define DESCRIPTORS_MAX 8

int firn_send_descriptors(int socket, const int *descriptors, int count) {
    union {
        char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
        struct cmsghdr header;
    } control = {0};
    if (count < 1 || count > DESCRIPTORS_MAX) return errno = EINVAL, -1;
    char byte = 0;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = CMSG_SPACE(count * sizeof(int)),
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

int firn_receive_descriptors(int socket, int *descriptors, int count) {
    union {
        char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
        struct cmsghdr header;
    } control;
    if (count < 1 || count > DESCRIPTORS_MAX) return errno = EINVAL, -1;
    char byte;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    ssize_t received;
    do {
        received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    if (received <= 0) return (int)received;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(count * sizeof(int))) {
        return errno = EBADMSG, -1;
    }
    memcpy(descriptors, CMSG_DATA(header), count * sizeof(int));
    return count;
}

int firn_terminal_columns(int fd) {
    struct winsize size;
    if (!isatty(fd)) return 0;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

int firn_peer_credentials(int fd, int *pid, uint32_t *uid, uint32_t *gid) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
    *pid = peer.pid;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}

long firn_send_descriptor(int socket, const void *bytes, size_t count, int descriptor) {
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

long firn_receive(int socket, void *bytes, size_t count, int *descriptor) {
    struct iovec part = {.iov_base = bytes, .iov_len = count};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    // Descriptors for which there is no room are closed by the kernel; alignment leaves room for two.
    long received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (received < 0) return received;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        size_t length = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < length; i++) {
            int passed;
            memcpy(&passed, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            if (i == 0) *descriptor = passed;
            else close(passed);
        }
    }
    return received;
}
