#define _GNU_SOURCE
#include "CFuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// From the kernel's include/uapi/linux/fuse.h, which Debian 12 has too old.
enum {
    NOTIFY_INVAL_ENTRY = 3,
    NOTIFY_RESEND = 7,
    OPCODE_GETATTR = 3,
    OPCODE_SETXATTR = 21,
    OPCODE_INIT = 26,
    OPCODE_CREATE = 35,
    OPCODE_TMPFILE = 51,
    OPCODE_STATX = 52,
};
#define FLAG_HANDLE_KILLPRIV_V2 (1U << 28)
#define FLAG_SETXATTR_EXT (1U << 29)
#define FLAG_INIT_EXT (1U << 30)
#define FLAG2_PASSTHROUGH (1U << 5)       // bit 37 of both words
#define FLAG2_NO_EXPORT_SUPPORT (1U << 6) // bit 38
#define FLAG2_HAS_RESEND (1U << 7)        // bit 39
#define UNIQUE_RESEND (1ULL << 63)
#define SETXATTR_ACL_KILL_SGID (1U << 0)

struct backing_map {
    int32_t fd;
    uint32_t flags;
    uint64_t padding;
};
#define BACKING_OPEN _IOW(229, 1, struct backing_map)
#define BACKING_CLOSE _IOW(229, 2, uint32_t)

struct in_header {
    uint32_t len, opcode;
    uint64_t unique, nodeid;
    uint32_t uid, gid, pid;
    uint16_t total_extlen, padding;
};
_Static_assert(sizeof(struct in_header) == 40, "fuse_in_header");

struct setxattr_in {
    uint32_t size, flags;
    uint32_t more_flags, padding; // with FLAG_SETXATTR_EXT
};
_Static_assert(sizeof(struct setxattr_in) == 16, "fuse_setxattr_in");

struct getattr_in {
    uint32_t flags, padding;
    uint64_t fh;
};
_Static_assert(sizeof(struct getattr_in) == 16, "fuse_getattr_in");

struct statx_in {
    struct getattr_in getattr; // the same in both
    uint32_t flags, mask;
};
_Static_assert(sizeof(struct statx_in) == 24, "fuse_statx_in");

struct init_in {
    uint32_t major, minor, max_readahead, flags, flags2, unused[11];
};
_Static_assert(sizeof(struct init_in) == 64, "fuse_init_in");

struct out_header {
    uint32_t len;
    int32_t error;
    uint64_t unique;
};
_Static_assert(sizeof(struct out_header) == 16, "fuse_out_header");

struct init_out {
    uint32_t major, minor, max_readahead, flags;
    uint16_t max_background, congestion_threshold;
    uint32_t max_write, time_gran;
    uint16_t max_pages, map_alignment;
    uint32_t flags2, max_stack_depth, unused[6];
};
_Static_assert(sizeof(struct init_out) == 64, "fuse_init_out");

// Wakes a thread that waits for a request. Of itself it does nothing, and no program sends it to another by default.
#define WAKING_SIGNAL (SIGRTMIN + 6)

static void wake(int signal) { (void)signal; }

struct firn_channel {
    void *owner;
    struct fuse_session *session;
    int fd;
    atomic_int stopped;
    int stop;             // an eventfd, readable once stopped
    uint64_t init_unique; // of the FUSE_INIT being answered
    uint32_t offered;     // flags of that request
    uint32_t offered2;
    uint64_t muted_unique; // of a FUSE_INIT that the kernel does not wait for
    int begun;             // 1 when the FUSE_INIT is answered, -1 when it is refused
    struct firn_init *init;
    int notifier; // a socket to who tells the kernel of changed names, or -1
    pthread_mutex_t notifying;
    int wants_passthrough;
    atomic_int passthrough;
    atomic_int extends_setxattr;
    atomic_int ended;
};

// The request that this thread received last.
static _Thread_local uint64_t current_unique;
static _Thread_local int current_wants_birth;

uint64_t firn_request_number(void) { return current_unique & ~UNIQUE_RESEND; }
int firn_request_wants_birth(void) { return current_wants_birth; }
int firn_request_is_repeated(void) { return (current_unique & UNIQUE_RESEND) != 0; }

static void note_init(struct firn_channel *channel, const struct in_header *header, size_t count) {
    struct init_in in = {0};
    size_t have = count - sizeof *header;
    memcpy(&in, header + 1, have < sizeof in ? have : sizeof in);
    channel->init_unique = header->unique;
    channel->offered = in.flags;
    channel->offered2 = in.flags & FLAG_INIT_EXT ? in.flags2 : 0;
    if (channel->init != NULL && count <= sizeof channel->init->request &&
        (channel->offered2 & FLAG2_HAS_RESEND)) {
        memcpy(channel->init->request, header, count);
        channel->init->length = count;
    }
}

// libfuse knows FUSE_SETXATTR without the second word of flags: the one flag there is goes to the first.
static ssize_t shorten_setxattr(struct in_header *header, ssize_t count) {
    struct setxattr_in *in = (struct setxattr_in *)(header + 1);
    ssize_t fixed = sizeof *header + sizeof *in;
    if (count < fixed) return count;
    if (in->more_flags & SETXATTR_ACL_KILL_SGID) in->flags |= FIRN_XATTR_KILL_SGID;
    memmove(&in->more_flags, in + 1, (size_t)(count - fixed));
    ssize_t saved = sizeof *in - offsetof(struct setxattr_in, more_flags);
    header->len -= (uint32_t)saved;
    return count - saved;
}

static ssize_t channel_read(int fd, void *buffer, size_t length, void *userdata) {
    struct firn_channel *channel = userdata;
    ssize_t count = read(fd, buffer, length);
    if (count < (ssize_t)sizeof(struct in_header)) {
        if (count < 0 && errno == ENODEV) channel->ended = 1;
        return count;
    }
    struct in_header *header = buffer;
    current_unique = header->unique;
    current_wants_birth = header->opcode == OPCODE_STATX && count >= (ssize_t)(sizeof *header + sizeof(struct statx_in));
    if (current_wants_birth) {
        // It begins as FUSE_GETATTR does.
        header->opcode = OPCODE_GETATTR;
        count = sizeof *header + sizeof(struct getattr_in);
        header->len = (uint32_t)count;
    } else if (header->opcode == OPCODE_TMPFILE) {
        // The same body as FUSE_CREATE's, and "/" for the name.
        header->opcode = OPCODE_CREATE;
    } else if (header->opcode == OPCODE_SETXATTR && channel->extends_setxattr) {
        count = shorten_setxattr(header, count);
    } else if (header->opcode == OPCODE_INIT && count >= (ssize_t)(sizeof *header + 16)) {
        note_init(channel, header, (size_t)count);
    }
    return count;
}

static struct out_header *header_of(const struct iovec *iov) { return iov[0].iov_base; }

// Has the process at the other end tell the kernel, and waits for what it says.
static ssize_t notify(struct firn_channel *channel, struct iovec *iov, int count) {
    int32_t error = 0;
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)count};
    pthread_mutex_lock(&channel->notifying);
    ssize_t sent = sendmsg(channel->notifier, &message, MSG_NOSIGNAL);
    ssize_t received = sent < 0 ? -1 : recv(channel->notifier, &error, sizeof error, 0);
    pthread_mutex_unlock(&channel->notifying);
    // Who told the kernel is gone, and nobody takes over: there is nothing to be careful about any more.
    if (received != sizeof error) return writev(channel->fd, iov, count);
    if (error == 0) return sent;
    errno = error;
    return -1;
}

void firn_serve_notifications(int socket, int fuse) {
    char buffer[sizeof(struct out_header) + 4096];
    ssize_t count;
    while ((count = recv(socket, buffer, sizeof buffer, 0)) > 0 || (count < 0 && errno == EINTR)) {
        if (count < 0) continue;
        int32_t error = write(fuse, buffer, (size_t)count) == count ? 0 : errno;
        if (send(socket, &error, sizeof error, MSG_NOSIGNAL) < 0) break;
    }
}

static ssize_t channel_writev(int fd, struct iovec *iov, int count, void *userdata) {
    struct firn_channel *channel = userdata;
    if (channel->init_unique != 0 && header_of(iov)->unique == channel->init_unique) {
        channel->begun = header_of(iov)->error == 0 ? 1 : -1;
    }
    if (channel->init_unique != 0 && count == 2 && iov[0].iov_len == sizeof(struct out_header)) {
        struct out_header *header = iov[0].iov_base;
        if (header->unique == channel->init_unique && header->error == 0 &&
            iov[1].iov_len == sizeof(struct init_out)) {
            struct init_out *out = iov[1].iov_base;
            // Without it the kernel asks for security.capability before every single write.
            out->flags |= channel->offered & FLAG_HANDLE_KILLPRIV_V2;
            // So that it says when a change of an access list takes the set-group-id bit away.
            out->flags |= channel->offered & FLAG_SETXATTR_EXT;
            channel->extends_setxattr = (channel->offered & FLAG_SETXATTR_EXT) != 0;
            // A handle (man 2 name_to_handle_at) would end with the kernel's memory of the file: refuse them.
            if (channel->offered2 & FLAG2_NO_EXPORT_SUPPORT) {
                out->flags |= FLAG_INIT_EXT;
                out->flags2 |= FLAG2_NO_EXPORT_SUPPORT;
            }
            if (channel->wants_passthrough && (channel->offered2 & FLAG2_PASSTHROUGH)) {
                out->flags |= FLAG_INIT_EXT;
                out->flags2 |= FLAG2_PASSTHROUGH;
                out->max_stack_depth = 1;
                channel->passthrough = 1;
            }
            channel->init_unique = 0;
        }
    }
    if (channel->muted_unique != 0 && header_of(iov)->unique == channel->muted_unique) {
        channel->muted_unique = 0;
        return header_of(iov)->len;
    }
    // Of all notifications only this one waits for locks.
    if (channel->notifier >= 0 && header_of(iov)->unique == 0 && header_of(iov)->error == NOTIFY_INVAL_ENTRY) {
        return notify(channel, iov, count);
    }
    return writev(fd, iov, count);
}

static ssize_t channel_splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t length,
                              unsigned int flags, void *userdata) {
    (void)userdata;
    return splice(in, in_offset, out, out_offset, length, flags);
}

struct firn_channel *firn_channel_new(void *owner) {
    struct firn_channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL) return NULL;
    channel->owner = owner;
    channel->fd = -1;
    channel->notifier = -1;
    pthread_mutex_init(&channel->notifying, NULL);
    channel->stop = eventfd(0, EFD_CLOEXEC);
    if (channel->stop < 0) {
        free(channel);
        return NULL;
    }
    return channel;
}

void firn_channel_free(struct firn_channel *channel) {
    close(channel->stop);
    pthread_mutex_destroy(&channel->notifying);
    free(channel);
}

void *firn_channel_owner(void *channel) { return ((struct firn_channel *)channel)->owner; }

int firn_channel_attach(struct firn_channel *channel, struct fuse_session *session, int fd) {
    static const struct fuse_custom_io io = {
        .writev = channel_writev,
        .read = channel_read,
        .splice_receive = channel_splice,
        .splice_send = channel_splice,
    };
    channel->session = session;
    channel->fd = fd;
    // A thread that waits in the kernel for its request takes fewer calls to get it than one that polls, and of several
    // only one is woken.
    int flags = fcntl(channel->fd, F_GETFL);
    if (flags < 0 || fcntl(channel->fd, F_SETFL, flags & ~O_NONBLOCK) < 0) return -1;
    // Without SA_RESTART, so that the wait ends.
    struct sigaction action = {.sa_handler = wake};
    if (sigaction(WAKING_SIGNAL, &action, NULL) != 0) return -1;
    int error = fuse_session_custom_io(session, &io, channel->fd);
    if (error != 0) {
        errno = error < 0 ? -error : EINVAL;
        return -1;
    }
    return 0;
}

// Waits for a request and processes it. Returns 1; 0 where a signal came first; -1 with errno at the end of them.
static int answer_one(struct firn_channel *channel, struct fuse_buf *buffer) {
    int received = fuse_session_receive_buf(channel->session, buffer);
    if (received > 0) {
        fuse_session_process_buf(channel->session, buffer);
        return 1;
    }
    if (received == -EINTR || received == -EAGAIN) return 0;
    errno = received < 0 ? -received : ENODEV;
    return -1;
}

int firn_channel_begin(struct firn_channel *channel) {
    struct fuse_buf buffer = {0};
    while (channel->begun == 0 && answer_one(channel, &buffer) >= 0) {}
    int error = channel->begun < 0 ? EPROTO : errno;
    free(buffer.mem);
    if (channel->begun == 1) return 0;
    errno = error;
    return -1;
}

void firn_channel_keep_init(struct firn_channel *channel, struct firn_init *init) { channel->init = init; }

int firn_channel_resume(struct firn_channel *channel, const struct firn_init *init) {
    struct firn_init copy = *init;
    struct in_header *header = (struct in_header *)copy.request;
    if (copy.length < sizeof *header + 16 || copy.length > sizeof copy.request ||
        header->opcode != OPCODE_INIT) {
        return errno = EINVAL, -1;
    }
    note_init(channel, header, copy.length);
    channel->muted_unique = header->unique;
    struct fuse_buf buffer = {.size = copy.length, .mem = copy.request};
    fuse_session_process_buf(channel->session, &buffer);
    return channel->muted_unique == 0 ? 0 : (errno = EPROTO, -1);
}

void firn_channel_notify_through(struct firn_channel *channel, int socket) { channel->notifier = socket; }

int firn_channel_resend(struct firn_channel *channel) {
    struct out_header header = {.len = sizeof header, .error = NOTIFY_RESEND};
    return write(channel->fd, &header, sizeof header) == sizeof header ? 0 : -1;
}

// How long a thread that has answered looks for the next request before it sleeps, in nanoseconds. Who works through
// many small files asks again within a few microseconds, and to wake a thread on a core that has gone idle costs more
// than all else that a request takes: on a virtual machine of two cores a `stat` of two requests took 61 us without this
// and 37 us with it.
#define LOOKING_TIME 50000

static int64_t nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void look_for_request(struct firn_channel *channel) {
    struct pollfd wait = {.fd = channel->fd, .events = POLLIN};
    int64_t end = nanoseconds() + LOOKING_TIME;
    while (poll(&wait, 1, 0) == 0 && nanoseconds() < end) {}
}

void firn_channel_loop(struct firn_channel *channel) {
    sigset_t waking;
    sigemptyset(&waking);
    sigaddset(&waking, WAKING_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &waking, NULL);
    struct fuse_buf buffer = {0};
    while (!channel->stopped && !fuse_session_exited(channel->session)) {
        int answered = answer_one(channel, &buffer);
        if (answered < 0) break;
        if (answered > 0) look_for_request(channel);
    }
    free(buffer.mem);
}

void firn_channel_stop(struct firn_channel *channel) {
    uint64_t one = 1;
    channel->stopped = 1;
    // An eventfd's counter cannot overflow by this, so the write cannot fail.
    (void)!write(channel->stop, &one, sizeof one);
}

void firn_channel_join(struct firn_channel *channel, const pthread_t *threads, size_t count) {
    struct pollfd wait = {.fd = channel->stop, .events = POLLIN};
    while (poll(&wait, 1, -1) < 0 && errno == EINTR) {}
    const struct timespec moment = {.tv_nsec = 1000000};
    for (size_t index = 0; index < count; index++) {
        // Again and again: it may have been about to wait when it was woken.
        while (pthread_tryjoin_np(threads[index], NULL) == EBUSY) {
            pthread_kill(threads[index], WAKING_SIGNAL);
            nanosleep(&moment, NULL);
        }
    }
}

int firn_channel_ended(struct firn_channel *channel) { return channel->ended; }

void firn_channel_want_passthrough(struct firn_channel *channel) { channel->wants_passthrough = 1; }

int firn_channel_has_passthrough(struct firn_channel *channel) { return channel->passthrough; }

// The kernel writes to a backing file with the rights of whoever registered it. Without this one a write takes the
// set-id bits away that a file was given while it was open, as it must when its writer is an ordinary user.
static int backing_open(int fd, struct backing_map *map) {
    struct __user_cap_header_struct thread = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct before[_LINUX_CAPABILITY_U32S_3], without[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &thread, before) != 0) return -1;
    memcpy(without, before, sizeof without);
    without[CAP_TO_INDEX(CAP_FSETID)].effective &= ~CAP_TO_MASK(CAP_FSETID);
    if (syscall(SYS_capset, &thread, without) != 0) return -1;
    int id = ioctl(fd, BACKING_OPEN, map);
    int error = errno;
    // It was allowed to the thread before, so it is now.
    if (syscall(SYS_capset, &thread, before) != 0) abort();
    errno = error;
    return id;
}

int32_t firn_backing_open(struct firn_channel *channel, int fd, int keeps_set_ids) {
    struct backing_map map = {.fd = fd};
    int id = keeps_set_ids ? ioctl(channel->fd, BACKING_OPEN, &map) : backing_open(channel->fd, &map);
    if (id > 0) return id;
    int error = errno;
    // Not allowed to this user, or a backing filesystem that is stacked itself: it will not be next time.
    if (error == EPERM || error == ELOOP || error == EOPNOTSUPP || error == ENOTTY) channel->passthrough = 0;
    return -error;
}

void firn_backing_close(struct firn_channel *channel, int32_t id) {
    uint32_t number = (uint32_t)id;
    // Fails only for an id that is none; the caller has it from firn_backing_open.
    (void)ioctl(channel->fd, BACKING_CLOSE, &number);
}
