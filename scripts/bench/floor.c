// The least that a FUSE filesystem can do for the small files that are measured: what this kernel takes for the requests
// alone, which no other filesystem can do without.
//
//   floor SOURCE MOUNTPOINT        as root, from Linux 6.9 on; ends when it is unmounted
//
// It speaks to the kernel without libfuse, answers a request by one call into SOURCE or by none, has the kernel keep
// everything for ever, and has reads and writes go past it. It is no filesystem to be used: two names of one file are two
// files, attributes cannot be changed, nothing is renamed, and no file has extended attributes.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// Newer than the header of Debian 12.
enum {
    INIT_EXT = 1 << 30,
    INIT2_PASSTHROUGH = 1 << 5,
    OPEN_PASSTHROUGH = 1 << 7,
    OPEN_NOFLUSH = 1 << 5,
    BUFFER = (1 << 20) + 4096,
    NODES_MAX = 1 << 22,
    LOOKING_NS = 50000,  // how long a thread looks for the next request before it sleeps
};
struct backing_map { int32_t fd; uint32_t flags; uint64_t padding; };
#define BACKING_OPEN _IOW(229, 1, struct backing_map)
#define BACKING_CLOSE _IOW(229, 2, uint32_t)

struct node {
    int fd;          // of a directory
    int directory;   // of anything else: the descriptor of what holds it
    int backing;
    char *name;
};

static struct node nodes[NODES_MAX];
static atomic_int node_count = 2;
static int device;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void reply(int to, uint64_t unique, int error, const void *body, size_t size) {
    struct fuse_out_header head = {(uint32_t)(sizeof head + size), error, unique};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)body, size}};
    if (writev(to, parts, size ? 2 : 1) < 0 && errno != ENOENT) fail("reply");
}

static void set_attributes(struct fuse_attr *attr, const struct stat *status) {
    *attr = (struct fuse_attr){
        .ino = status->st_ino, .size = (uint64_t)status->st_size, .blocks = (uint64_t)status->st_blocks,
        .atime = (uint64_t)status->st_atim.tv_sec, .atimensec = (uint32_t)status->st_atim.tv_nsec,
        .mtime = (uint64_t)status->st_mtim.tv_sec, .mtimensec = (uint32_t)status->st_mtim.tv_nsec,
        .ctime = (uint64_t)status->st_ctim.tv_sec, .ctimensec = (uint32_t)status->st_ctim.tv_nsec,
        .mode = status->st_mode, .nlink = (uint32_t)status->st_nlink, .uid = status->st_uid, .gid = status->st_gid,
        .blksize = 4096};
}

static const uint64_t FOREVER = 1 << 30;

// Returns the node, or 0 and sets errno.
static int enter(int directory, const char *name, struct fuse_entry_out *entry) {
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW)) return 0;
    int id = atomic_fetch_add(&node_count, 1);
    if (id >= NODES_MAX) exit(3);
    nodes[id] = (struct node){.fd = -1, .directory = directory, .name = strdup(name)};
    if (S_ISDIR(status.st_mode)) nodes[id].fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    *entry = (struct fuse_entry_out){.nodeid = (uint64_t)id, .entry_valid = FOREVER, .attr_valid = FOREVER};
    set_attributes(&entry->attr, &status);
    return id;
}

static int give(int id, int fd) {
    struct backing_map map = {.fd = fd};
    int backing = ioctl(device, BACKING_OPEN, &map);
    if (backing < 0) fail("FUSE_DEV_IOC_BACKING_OPEN");
    return nodes[id].backing = backing;
}

static struct fuse_open_out opened(int id) {
    return (struct fuse_open_out){.open_flags = OPEN_PASSTHROUGH | OPEN_NOFLUSH, .padding = (uint32_t)nodes[id].backing};
}

static void forget(uint64_t id) {
    struct node *node = &nodes[id];
    if (id == FUSE_ROOT_ID) return;
    if (node->backing) ioctl(device, BACKING_CLOSE, &(uint32_t){(uint32_t)node->backing});
    if (node->fd >= 0) close(node->fd);
    free(node->name);
    *node = (struct node){.fd = -1};
}

static void list(int to, const struct fuse_in_header *in, const struct fuse_read_in *read_in) {
    char path[64], buffer[1 << 16], out[1 << 16];
    sprintf(path, "/proc/self/fd/%d", nodes[in->nodeid].fd);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return reply(to, in->unique, -errno, NULL, 0);
    lseek(fd, (off_t)read_in->offset, SEEK_SET);
    size_t used = 0, room = read_in->size < sizeof out ? read_in->size : sizeof out;
    ssize_t got;
    int is_full = 0;
    while (!is_full && (got = getdents64(fd, buffer, sizeof buffer)) > 0)
        for (ssize_t at = 0; at < got;) {
            struct dirent64 *item = (void *)(buffer + at);
            size_t length = strlen(item->d_name), size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + length);
            if ((is_full = used + size > room)) break;
            struct fuse_dirent *made = (void *)(out + used);
            *made = (struct fuse_dirent){item->d_ino, (uint64_t)item->d_off, (uint32_t)length, item->d_type};
            memcpy(made->name, item->d_name, length);
            used += size;
            at += item->d_reclen;
        }
    close(fd);
    reply(to, in->unique, 0, out, used);
}

static void start(int to, const struct fuse_in_header *in, const struct fuse_init_in *init) {
    struct fuse_init_out out = {
        .major = 7, .minor = 38, .max_readahead = init->max_readahead, .max_background = 64,
        .congestion_threshold = 48, .max_write = 1 << 20, .time_gran = 1, .max_pages = 256,
        .flags = INIT_EXT | (init->flags & (FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_PARALLEL_DIROPS |
                                            FUSE_MAX_PAGES | FUSE_NO_OPENDIR_SUPPORT | FUSE_CACHE_SYMLINKS)),
        .flags2 = INIT2_PASSTHROUGH};
    out.unused[0] = 1;  // max_stack_depth
    reply(to, in->unique, 0, &out, sizeof out);
}

static void serve(int to, char *buffer) {
    const struct fuse_in_header *in = (void *)buffer;
    const void *body = buffer + sizeof *in;
    const char *name = body;
    int parent = nodes[in->nodeid].fd;
    struct fuse_entry_out entry;
    struct stat status;
    switch (in->opcode) {
    case FUSE_INIT: return start(to, in, body);
    case FUSE_FORGET: return forget(in->nodeid);
    case FUSE_BATCH_FORGET: {
        const struct fuse_batch_forget_in *batch = body;
        const struct fuse_forget_one *one = (void *)(batch + 1);
        for (uint32_t i = 0; i < batch->count; i++) forget(one[i].nodeid);
        return;
    }
    case FUSE_LOOKUP: {
        if (!enter(parent, name, &entry)) return reply(to, in->unique, -errno, NULL, 0);
        return reply(to, in->unique, 0, &entry, sizeof entry);
    }
    case FUSE_GETATTR: {
        const struct node *node = &nodes[in->nodeid];
        if (node->fd >= 0 ? fstat(node->fd, &status) : fstatat(node->directory, node->name, &status, AT_SYMLINK_NOFOLLOW))
            return reply(to, in->unique, -errno, NULL, 0);
        struct fuse_attr_out out = {.attr_valid = FOREVER};
        set_attributes(&out.attr, &status);
        return reply(to, in->unique, 0, &out, sizeof out);
    }
    case FUSE_MKDIR: {
        const struct fuse_mkdir_in *mkdir_in = body;
        name = (const char *)(mkdir_in + 1);
        if (mkdirat(parent, name, mkdir_in->mode) || !enter(parent, name, &entry))
            return reply(to, in->unique, -errno, NULL, 0);
        return reply(to, in->unique, 0, &entry, sizeof entry);
    }
    case FUSE_CREATE: {
        const struct fuse_create_in *create = body;
        name = (const char *)(create + 1);
        int fd = openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, create->mode);
        if (fd < 0) return reply(to, in->unique, -errno, NULL, 0);
        struct { struct fuse_entry_out entry; struct fuse_open_out open; } out;
        int id = enter(parent, name, &out.entry);
        if (!id) return reply(to, in->unique, -errno, NULL, 0);
        give(id, fd);
        close(fd);
        out.open = opened(id);
        return reply(to, in->unique, 0, &out, sizeof out);
    }
    case FUSE_OPEN: {
        int id = (int)in->nodeid;
        if (!nodes[id].backing) {
            int fd = openat(nodes[id].directory, nodes[id].name, O_RDWR | O_CLOEXEC);
            if (fd < 0) return reply(to, in->unique, -errno, NULL, 0);
            give(id, fd);
            close(fd);
        }
        struct fuse_open_out out = opened(id);
        return reply(to, in->unique, 0, &out, sizeof out);
    }
    case FUSE_UNLINK:
    case FUSE_RMDIR: {
        int failed = unlinkat(parent, name, in->opcode == FUSE_RMDIR ? AT_REMOVEDIR : 0);
        return reply(to, in->unique, failed ? -errno : 0, NULL, 0);
    }
    case FUSE_GETXATTR: {
        // Before it lets a program write to a file the kernel asks whether the file has capabilities, of every filesystem
        // that may have extended attributes. EOPNOTSUPP has ls ask for others once, and not for each file.
        const char *attribute = (const char *)((const struct fuse_getxattr_in *)body + 1);
        int error = strcmp(attribute, "security.capability") == 0 ? ENODATA : EOPNOTSUPP;
        return reply(to, in->unique, -error, NULL, 0);
    }
    case FUSE_READDIR: return list(to, in, body);
    case FUSE_RELEASE: return reply(to, in->unique, 0, NULL, 0);
    case FUSE_DESTROY: return reply(to, in->unique, 0, NULL, 0);
    case FUSE_INTERRUPT: return;
    default: return reply(to, in->unique, -ENOSYS, NULL, 0);
    }
}

static int same_connection(void) {
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    uint32_t of = (uint32_t)device;
    if (fd < 0 || ioctl(fd, FUSE_DEV_IOC_CLONE, &of)) fail("FUSE_DEV_IOC_CLONE");
    return fd;
}

static long long nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void *receive(void *unused) {
    (void)unused;
    char *buffer = malloc(BUFFER);
    int looking = same_connection();
    long long until = 0;
    for (;;) {
        int from = until > nanoseconds() ? looking : device;
        ssize_t got = read(from, buffer, BUFFER);
        if (got < 0 && errno == ENODEV) exit(0);
        if (got < 0) continue;
        serve(from, buffer);
        until = nanoseconds() + LOOKING_NS;
    }
}

int main(int count, char **words) {
    if (count != 3) return 2;
    umask(0);
    nodes[FUSE_ROOT_ID].fd = open(words[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (nodes[FUSE_ROOT_ID].fd < 0) fail(words[1]);
    device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    char options[128];
    sprintf(options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions", device);
    if (mount("floor", words[2], "fuse", MS_NODEV | MS_NOSUID | MS_NOATIME, options)) fail("mount");
    long jobs = sysconf(_SC_NPROCESSORS_ONLN);
    for (long job = 1; job < jobs; job++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, receive, NULL)) fail("pthread_create");
    }
    receive(NULL);
}
