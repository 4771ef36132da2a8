// What libfuse 3.14's low-level API lacks for Swift: a request loop that can be stopped, and a look at the raw
// requests and replies for what the library does not know but the kernel offers.
#ifndef FIRN_CFUSE_H
#define FIRN_CFUSE_H

#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 314
#endif
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdint.h>

// One mounted session's connection to the kernel. `fuse_req_userdata` of its requests is the channel.
struct firn_channel;

// `owner` is handed back by firn_channel_owner and is not looked into.
struct firn_channel *firn_channel_new(void *owner);
void firn_channel_free(struct firn_channel *channel);
void *firn_channel_owner(void *channel);

// To be called once, with the descriptor of /dev/fuse. Returns 0, or -1 with errno.
int firn_channel_attach(struct firn_channel *channel, struct fuse_session *session, int fd);

// To be called before any loop, on a new mount: answers the kernel's first request, by which it is agreed what both can
// do. Returns 0, or -1 with errno.
int firn_channel_begin(struct firn_channel *channel);

// Receives and processes requests on the calling thread until the mount is gone or the channel is stopped.
// Any number of threads may run it at once.
void firn_channel_loop(struct firn_channel *channel);

// Makes every loop end after the request it is at. Callable from any thread.
void firn_channel_stop(struct firn_channel *channel);

// Waits until the channel is stopped, and then for the end of the threads that run its loop.
void firn_channel_join(struct firn_channel *channel, const pthread_t *threads, size_t count);

// Whether the kernel has ended the connection: the mount is gone.
int firn_channel_ended(struct firn_channel *channel);

// Going on with a connection whose daemon has died (Linux 6.9): another process has kept /dev/fuse open.

// The kernel's first request, by which a connection is set up, for whoever goes on with it. `length` stays 0
// where the kernel cannot send requests again.
struct firn_init {
    uint64_t length;
    char request[512] __attribute__((aligned(8)));
};
// To be called before any loop: keeps the first request there.
void firn_channel_keep_init(struct firn_channel *channel, struct firn_init *init);
// To be called after firn_channel_attach, before any loop: takes up what was agreed then.
// Returns 0, or -1 with errno.
int firn_channel_resume(struct firn_channel *channel, const struct firn_init *init);
// Makes the kernel send every request again that has had no answer. Returns 0, or -1 with errno.
int firn_channel_resend(struct firn_channel *channel);
// To be called before any loop: names that the kernel is to forget go to the process at the other end of a
// SOCK_SEQPACKET socket, which runs firn_serve_notifications. Such a notification waits until whoever holds the
// directory has an answer, for which a process that dies would have to be waited for.
void firn_channel_notify_through(struct firn_channel *channel, int socket);
// Passes notifications from a socket on to /dev/fuse until the other end is closed.
void firn_serve_notifications(int socket, int fuse);
// The number of the request that the calling thread is at. Not of a thread it was handed to.
uint64_t firn_request_number(void);
// Whether the kernel sends it again, so that it may have been carried out already.
int firn_request_is_repeated(void);

// Passthrough (Linux 6.9): the kernel reads, writes and maps an open file's backing file without asking.

// To be called before firn_channel_attach: asks for passthrough when the session begins.
void firn_channel_want_passthrough(struct firn_channel *channel);
// Whether the kernel agreed to it and nothing has shown since that it does not work here.
int firn_channel_has_passthrough(struct firn_channel *channel);
// Registers an open file (O_PATH will do; it may be closed afterwards). Returns its id, or -errno.
// Without `keeps_set_ids` what the kernel writes takes set-id bits away that the file has by then.
int32_t firn_backing_open(struct firn_channel *channel, int fd, int keeps_set_ids);
void firn_backing_close(struct firn_channel *channel, int32_t id);
// Like fuse_reply_open and fuse_reply_create with a file handle, for a backing file.
int firn_reply_open_passthrough(fuse_req_t request, uint64_t handle, int32_t backing);
int firn_reply_create_passthrough(fuse_req_t request, const struct fuse_entry_param *entry,
                                  uint64_t handle, int32_t backing);

// Time of birth (Linux 6.6): FUSE_STATX arrives as FUSE_GETATTR.

// Whether the request that the calling thread is at is one, to be answered by firn_reply_statx.
int firn_request_wants_birth(void);
// Like fuse_reply_attr. `birth` is NULL where there is none.
int firn_reply_statx(fuse_req_t request, const struct stat *attr, double timeout, const struct timespec *birth);

// What a FUSE_IOCTL asks for. See: `man 2 ioctl_iflags`, linux/fs.h.
enum firn_ioctl {
    FIRN_IOCTL_OTHER,
    FIRN_IOCTL_GET_FLAGS,  // out: 32 bits
    FIRN_IOCTL_SET_FLAGS,  // in: 32 bits
    FIRN_IOCTL_GET_XFLAGS, // out: struct fsxattr
    FIRN_IOCTL_SET_XFLAGS, // in: struct fsxattr
};
enum firn_ioctl firn_ioctl_kind(unsigned int command);
// Answers one that gets flags. They are FS_*_FL; struct fsxattr has other numbers for them, and not for all.
int firn_reply_flags(fuse_req_t request, enum firn_ioctl kind, uint32_t flags);
// The flags, as FS_*_FL, that one with `size` bytes at `in` sets. Returns 0, or -1 where it sets anything else.
int firn_ioctl_flags(enum firn_ioctl kind, const void *in, size_t size, uint32_t *flags);

// Among the flags of FUSE_SETXATTR, beside those of `man 2 setxattr`: take the set-group-id bit away.
#define FIRN_XATTR_KILL_SGID (1 << 30)

// The name in a FUSE_CREATE that stands for FUSE_TMPFILE; no file can be called this.
#define FIRN_NAMELESS "/"

#endif
