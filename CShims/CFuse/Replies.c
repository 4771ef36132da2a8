#define _GNU_SOURCE
#include "CFuse.h"

#include <linux/fs.h>
#include <linux/stat.h>
#include <stddef.h>
#include <string.h>
#include <sys/sysmacros.h>

// From the kernel's include/uapi/linux/fuse.h, which Debian 12 has too old.
#define OPEN_NOFLUSH (1U << 5)
#define OPEN_PASSTHROUGH (1U << 7)

struct open_out {
    uint64_t fh;
    uint32_t open_flags;
    int32_t backing_id;
};
_Static_assert(sizeof(struct open_out) == 16, "fuse_open_out");

struct entry_out {
    uint64_t nodeid, generation, entry_valid, attr_valid;
    uint32_t entry_valid_nsec, attr_valid_nsec;
    uint64_t ino, size, blocks, atime, mtime, ctime;
    uint32_t atimensec, mtimensec, ctimensec, mode, nlink, uid, gid, rdev, blksize, flags;
};
_Static_assert(sizeof(struct entry_out) == 128, "fuse_entry_out");

struct statx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t padding;
};

struct statx_out {
    uint64_t attr_valid;
    uint32_t attr_valid_nsec, flags;
    uint64_t unused[2];
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, padding;
    uint64_t ino, size, blocks, attributes_mask;
    struct statx_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t unused2[14];
};
_Static_assert(sizeof(struct statx_out) == 288, "fuse_statx_out");

static void set_open(struct open_out *out, uint64_t handle, int32_t backing) {
    memset(out, 0, sizeof *out);
    out->fh = handle;
    out->open_flags = OPEN_PASSTHROUGH | OPEN_NOFLUSH;
    out->backing_id = backing;
}

int firn_reply_open_passthrough(fuse_req_t request, uint64_t handle, int32_t backing) {
    struct open_out out;
    set_open(&out, handle, backing);
    return fuse_reply_buf(request, (const char *)&out, sizeof out);
}

static void set_timeout(double timeout, uint64_t *seconds, uint32_t *nanoseconds) {
    *seconds = (uint64_t)timeout;
    *nanoseconds = (uint32_t)((timeout - (double)*seconds) * 1e9);
}

int firn_reply_create_passthrough(fuse_req_t request, const struct fuse_entry_param *entry,
                                  uint64_t handle, int32_t backing) {
    const struct stat *attr = &entry->attr;
    struct {
        struct entry_out entry;
        struct open_out open;
    } out;
    memset(&out, 0, sizeof out);
    out.entry.nodeid = entry->ino;
    out.entry.generation = entry->generation;
    set_timeout(entry->entry_timeout, &out.entry.entry_valid, &out.entry.entry_valid_nsec);
    set_timeout(entry->attr_timeout, &out.entry.attr_valid, &out.entry.attr_valid_nsec);
    out.entry.ino = attr->st_ino;
    out.entry.size = (uint64_t)attr->st_size;
    out.entry.blocks = (uint64_t)attr->st_blocks;
    out.entry.atime = (uint64_t)attr->st_atim.tv_sec;
    out.entry.mtime = (uint64_t)attr->st_mtim.tv_sec;
    out.entry.ctime = (uint64_t)attr->st_ctim.tv_sec;
    out.entry.atimensec = (uint32_t)attr->st_atim.tv_nsec;
    out.entry.mtimensec = (uint32_t)attr->st_mtim.tv_nsec;
    out.entry.ctimensec = (uint32_t)attr->st_ctim.tv_nsec;
    out.entry.mode = attr->st_mode;
    out.entry.nlink = (uint32_t)attr->st_nlink;
    out.entry.uid = attr->st_uid;
    out.entry.gid = attr->st_gid;
    out.entry.rdev = (uint32_t)attr->st_rdev;
    out.entry.blksize = (uint32_t)attr->st_blksize;
    set_open(&out.open, handle, backing);
    return fuse_reply_buf(request, (const char *)&out, sizeof out);
}

static struct statx_time statx_time(const struct timespec *time) {
    return (struct statx_time){.seconds = time->tv_sec, .nanoseconds = (uint32_t)time->tv_nsec};
}

int firn_reply_statx(fuse_req_t request, const struct stat *attr, double timeout, const struct timespec *birth) {
    struct statx_out out = {
        .mask = STATX_BASIC_STATS,
        .blksize = (uint32_t)attr->st_blksize,
        .nlink = (uint32_t)attr->st_nlink,
        .uid = attr->st_uid,
        .gid = attr->st_gid,
        .mode = (uint16_t)attr->st_mode,
        .ino = attr->st_ino,
        .size = (uint64_t)attr->st_size,
        .blocks = (uint64_t)attr->st_blocks,
        .atime = statx_time(&attr->st_atim),
        .ctime = statx_time(&attr->st_ctim),
        .mtime = statx_time(&attr->st_mtim),
        .rdev_major = major(attr->st_rdev),
        .rdev_minor = minor(attr->st_rdev),
    };
    set_timeout(timeout, &out.attr_valid, &out.attr_valid_nsec);
    if (birth != NULL) {
        out.mask |= STATX_BTIME;
        out.btime = statx_time(birth);
    }
    return fuse_reply_buf(request, (const char *)&out, sizeof out);
}

enum firn_ioctl firn_ioctl_kind(unsigned int command) {
    switch (command) {
    case FS_IOC_GETFLAGS: return FIRN_IOCTL_GET_FLAGS;
    case FS_IOC_SETFLAGS: return FIRN_IOCTL_SET_FLAGS;
    case FS_IOC_FSGETXATTR: return FIRN_IOCTL_GET_XFLAGS;
    case FS_IOC_FSSETXATTR: return FIRN_IOCTL_SET_XFLAGS;
    default: return FIRN_IOCTL_OTHER;
    }
}

// What both forms have.
static const struct {
    uint32_t flag, xflag;
} forms[] = {
    {FS_SYNC_FL, FS_XFLAG_SYNC},     {FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE}, {FS_APPEND_FL, FS_XFLAG_APPEND},
    {FS_NODUMP_FL, FS_XFLAG_NODUMP}, {FS_NOATIME_FL, FS_XFLAG_NOATIME},
};
#define FORM_COUNT (sizeof forms / sizeof *forms)

int firn_reply_flags(fuse_req_t request, enum firn_ioctl kind, uint32_t flags) {
    if (kind == FIRN_IOCTL_GET_FLAGS) return fuse_reply_ioctl(request, 0, &flags, sizeof flags);
    struct fsxattr out = {0};
    for (size_t index = 0; index < FORM_COUNT; index++) {
        if (flags & forms[index].flag) out.fsx_xflags |= forms[index].xflag;
    }
    return fuse_reply_ioctl(request, 0, &out, sizeof out);
}

int firn_ioctl_flags(enum firn_ioctl kind, const void *in, size_t size, uint32_t *flags) {
    struct fsxattr wanted = {0};
    size_t length = kind == FIRN_IOCTL_SET_FLAGS ? sizeof(uint32_t) : sizeof wanted;
    if (in == NULL || size < length) return -1;
    if (kind == FIRN_IOCTL_SET_FLAGS) {
        memcpy(flags, in, length);
        return 0;
    }
    memcpy(&wanted, in, length);
    if (wanted.fsx_extsize != 0 || wanted.fsx_projid != 0 || wanted.fsx_cowextsize != 0) return -1;
    *flags = 0;
    for (size_t index = 0; index < FORM_COUNT; index++) {
        if (wanted.fsx_xflags & forms[index].xflag) *flags |= forms[index].flag;
        wanted.fsx_xflags &= ~forms[index].xflag;
    }
    return wanted.fsx_xflags == 0 ? 0 : -1;
}
