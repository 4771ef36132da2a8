import Foundation
import TestSupport
import Testing

/// Python's libraries for data and models, which write and map files in ways of their own.
///
/// `FIRN_TEST_PYTHON` names an interpreter that has them; `scripts/test.sh` sees to that.
@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct LibrariesTests {
    private static let python = ProcessInfo.processInfo.environment["FIRN_TEST_PYTHON"]

    /// What is written with `write` in staging, then sealed, is read with `read` from the version, and from
    /// staging after it was written again. `d` is the directory; `n` tells the two writes apart.
    struct Library: CustomTestStringConvertible, Sendable {
        let name: String
        let write: String
        let read: String

        var testDescription: String { name }
    }

    private static let libraries = [
        Library(
            name: "torch",
            write: "import torch; torch.save({'w': torch.full((300, 300), float(n))}, d + '/t.pt')",
            read: """
                import torch
                assert torch.load(d + '/t.pt')['w'].sum() == 90000 * n
                assert torch.load(d + '/t.pt', mmap=True)['w'].sum() == 90000 * n
                """),
        Library(
            name: "numpy",
            write: """
                import numpy as np
                m = np.memmap(d + '/m.dat', dtype='f8', mode='w+', shape=(100, 1000)); m[:] = n; m[5, 5] = -n; m.flush()
                np.save(d + '/a.npy', np.full(5000, n))
                r = np.lib.format.open_memmap(d + '/o.npy', mode='w+', dtype='i4', shape=(1000,)); r[:] = n; del r
                """,
            read: """
                import numpy as np
                m = np.memmap(d + '/m.dat', dtype='f8', mode='r', shape=(100, 1000))
                assert m.sum() == 99998 * n and m[5, 5] == -n
                assert np.load(d + '/a.npy', mmap_mode='r').sum() == 5000 * n
                assert np.load(d + '/o.npy').sum() == 1000 * n
                """),
        Library(
            name: "h5py",
            write: """
                import h5py, numpy as np
                with h5py.File(d + '/h.h5', 'a') as f:
                    if 'x' in f: del f['x']
                    f.create_dataset('x', data=np.full((200, 200), n), chunks=(10, 10), compression='gzip')
                    f.attrs['n'] = n
                """,
            read: """
                import h5py
                with h5py.File(d + '/h.h5', 'r') as f: assert f['x'][:].sum() == 40000 * n and f.attrs['n'] == n
                """),
        Library(
            name: "pyarrow",
            write: """
                import pandas as pd
                frame = pd.DataFrame({'a': range(1000), 'b': [n] * 1000, 'c': ['text'] * 1000})
                frame.to_parquet(d + '/p.parquet'); frame.to_csv(d + '/p.csv'); frame.to_feather(d + '/p.feather')
                """,
            read: """
                import pandas as pd, pyarrow.parquet as pq
                assert pd.read_parquet(d + '/p.parquet').b.sum() == 1000 * n
                assert pq.read_table(d + '/p.parquet', memory_map=True).num_rows == 1000
                assert pd.read_csv(d + '/p.csv').b.sum() == 1000 * n
                assert pd.read_feather(d + '/p.feather').b.sum() == 1000 * n
                """),
        Library(
            name: "safetensors",
            write: """
                import numpy as np; from safetensors.numpy import save_file
                save_file({'w': np.full((100, 100), n, dtype='f4')}, d + '/s.safetensors')
                """,
            read: """
                from safetensors import safe_open
                with safe_open(d + '/s.safetensors', 'np') as f: assert f.get_tensor('w').sum() == 10000 * n
                """),
    ]

    @Test(
        .enabled(if: python != nil, "FIRN_TEST_PYTHON names no Python with the libraries"),
        arguments: libraries)
    func `a library's files are what it wrote, staged and sealed`(library: Library) throws {
        let python = try #require(LibrariesTests.python)
        try MountedStore.with { mount in
            let run = { (script: String, directory: String, number: Int) throws in
                let text = "import sys; d = sys.argv[1]; n = int(sys.argv[2])\n\(script)"
                let outcome = try Shell.run([python, "-c", text, directory, String(number)])
                #expect(outcome.status == 0, "\(directory), \(number): \(outcome.complaints)")
            }
            try run(library.write, mount.staging, 3)
            try run(library.read, mount.staging, 3)
            try mount.commit()
            try run(library.read, mount.versions + "/latest", 3)
            try run(library.write, mount.staging, 4)
            try run(library.read, mount.staging, 4)
            try run(library.read, mount.versions + "/1", 3)
            try mount.commit()
            try mount.remount()
            try run(library.read, mount.versions + "/1", 3)
            try run(library.read, mount.versions + "/2", 4)
        }
    }
}
