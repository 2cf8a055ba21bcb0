package probe

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// files runs a program on every open file of one process, whatever tables its
// threads have.
type files struct {
	fd  int
	cpu time.Duration // that all looks took
}

// iterate makes files of a program in section iter/task_file. Close it.
func iterate(prog *ebpf.Program, pidfd int) (*files, error) {
	// union bpf_iter_link_info: of a task iterator tid, pid, pid_fd.
	info := [4]uint32{2: uint32(pidfd)}
	attr := struct {
		prog, target, attach, flags uint32
		info                        uint64
		infoLen                     uint32
		_                           [9]uint32
	}{prog: uint32(prog.FD()), attach: uint32(ebpf.AttachTraceIter), info: uint64(uintptr(unsafe.Pointer(&info))), infoLen: uint32(unsafe.Sizeof(info))}
	fd, err := bpfCall(unix.BPF_LINK_CREATE, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(&info)
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.E2BIG):
		return nil, fmt.Errorf("this kernel does not list the files of one process to a probe: it needs Linux 6.1 or later (%w)", err)
	case err != nil:
		return nil, fmt.Errorf("list its files: %w", needs(err))
	}
	return &files{fd: fd}, nil
}

func bpfCall(cmd uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(attr), size)
	if errno != 0 {
		return 0, errno
	}
	unix.CloseOnExec(int(fd))
	return int(fd), nil
}

// Close forgets the program.
func (f *files) Close() error { return unix.Close(f.fd) }

// readSize is how much of what the program writes is taken at once.
const readSize = 64 << 10

// look runs the program once on every file. each gets what it wrote, in
// records of size bytes.
func (f *files) look(size int, each func([]byte)) error {
	runtime.LockOSThread() // whose time is measured
	defer runtime.UnlockOSThread()
	began := threadTime()
	defer func() { f.cpu += threadTime() - began }()
	attr := struct{ link, flags uint32 }{link: uint32(f.fd)}
	fd, err := bpfCall(unix.BPF_ITER_CREATE, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return fmt.Errorf("list its files: %w", needs(err))
	}
	it := os.NewFile(uintptr(fd), "files of a process")
	defer it.Close()
	return records(it, size, each)
}

// records cuts what r yields. EAGAIN is the kernel's pause after a million
// files without a record.
func records(r io.Reader, size int, each func([]byte)) error {
	buf := make([]byte, readSize)
	have := 0
	for {
		n, err := r.Read(buf[have:])
		have += n
		at := 0
		for ; have-at >= size; at += size {
			each(buf[at : at+size])
		}
		have = copy(buf, buf[at:have])
		switch {
		case errors.Is(err, unix.EAGAIN):
		case err == io.EOF && have > 0:
			return fmt.Errorf("list its files: %w", io.ErrUnexpectedEOF)
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("list its files: %w", err)
		}
	}
}

// threadTime is the processor time of this thread, 0 where the kernel does not
// say.
func threadTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
