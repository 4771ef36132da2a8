/// A program that makes changes of all kinds in the directory it stands in and checks each, until there is a file
/// `stop`. Four processes, each in a directory of its own.
enum NamespaceWorkload {
    static let script = #"""
        import ctypes, os, random, shutil, sys, traceback, multiprocessing

        libc = ctypes.CDLL(None, use_errno=True)

        def call(result, path):
            if result:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)

        def exchange(a, b):
            call(libc.renameat2(-100, a.encode(), -100, b.encode(), 2), a)

        def name_file(fd, path):
            call(libc.linkat(-100, f'/proc/self/fd/{fd}'.encode(), -100, path.encode(), 0x400), path)

        def work(number, seed):
            r = random.Random(seed * 1000 + number)
            os.mkdir(f'w{number}')
            os.chdir(f'w{number}')
            log, logged = open('log', 'ab', buffering=0), b''
            anonymous, written = open('anonymous', 'wb+', buffering=0), b''
            os.unlink('anonymous')
            files, done, kind = {}, 0, -1
            try:
                while not os.path.exists('../stop'):
                    done += 1
                    kind, name, other = r.randrange(12), f'f{r.randrange(20)}', f'f{r.randrange(20)}'
                    if kind == 0:
                        data = os.urandom(r.randrange(1, 20000))
                        with open(name + '.tmp', 'wb') as f:
                            f.write(data)
                            os.fsync(f.fileno())
                        os.rename(name + '.tmp', name)
                        files[name] = data
                    elif kind == 1 and name in files:
                        assert open(name, 'rb').read() == files[name]
                    elif kind == 2:
                        try:
                            os.unlink(name)
                            del files[name]
                        except FileNotFoundError:
                            assert name not in files, 'lost ' + name
                    elif kind == 3:
                        data = os.urandom(100)
                        log.write(data)
                        logged += data
                        assert open('log', 'rb').read() == logged
                    elif kind == 4:
                        data = os.urandom(100)
                        anonymous.write(data)
                        written += data
                        assert os.pread(anonymous.fileno(), len(written) + 1, 0) == written
                        status = os.fstat(anonymous.fileno())
                        assert status.st_nlink == 0 and status.st_size == len(written), status
                    elif kind == 5:
                        os.makedirs('a/deep')
                        open('a/deep/x', 'w').write('x')
                        os.rename('a', 'b')
                        assert open('b/deep/x').read() == 'x'
                        shutil.rmtree('b')
                    elif kind == 6 and name in files and other in files and name != other:
                        exchange(name, other)
                        files[name], files[other] = files[other], files[name]
                    elif kind == 7 and name in files:
                        os.link(name, 'link')
                        assert os.stat('link').st_nlink == 2
                        os.unlink('link')
                    elif kind == 8:
                        os.symlink('target', 'symlink')
                        assert os.readlink('symlink') == 'target'
                        os.unlink('symlink')
                    elif kind == 9 and name in files:
                        os.setxattr(name, 'user.a', b'1', os.XATTR_CREATE)
                        os.removexattr(name, 'user.a')
                        os.truncate(name, len(files[name]))
                    elif kind == 10:
                        fd = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o644)
                        os.write(fd, b'tmpfile')
                        name_file(fd, 'named')
                        assert os.fstat(fd).st_nlink == 1
                        os.close(fd)
                        assert open('named').read() == 'tmpfile'
                        os.unlink('named')
                    elif kind == 11:
                        assert set(os.listdir('.')) == set(files) | {'log'}
                        os.mkdir('many')
                        for i in range(50):
                            open(f'many/{i}', 'x').close()
                        shutil.rmtree('many')
                assert os.pread(anonymous.fileno(), len(written) + 1, 0) == written
                assert all(open(name, 'rb').read() == data for name, data in files.items())
            except BaseException:
                print(f'worker {number}, {done} changes, kind {kind}')
                traceback.print_exc(file=sys.stdout)
                sys.exit(1)

        workers = [multiprocessing.Process(target=work, args=(n, int(sys.argv[1]))) for n in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        sys.exit(any(worker.exitcode for worker in workers))
        """#
}
