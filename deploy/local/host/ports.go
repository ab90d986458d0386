package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Below 32768: the kernel hands higher ports to outgoing connections.
const (
	blockSize  = 100
	firstBlock = 21000
	lastBlock  = 32600
)

// Block is a range of ports that one stack holds for as long as it runs, so that two stacks starting at once do not meet.
type Block struct {
	Base  int
	First bool // the block that the first stack of a machine gets
	lock  *os.File
}

// Port is the port at an offset into the block.
func (b *Block) Port(offset int) int { return b.Base + offset }

// Release gives the block back.
func (b *Block) Release() {
	if b.lock != nil {
		_ = b.lock.Close()
	}
}

// ClaimFirst takes the first stack's block; it answers nil when another stack has it.
func ClaimFirst() (*Block, error) {
	block, err := claim(firstBlock)
	if block != nil {
		block.First = true
	}
	return block, err
}

// ClaimFree takes a block in which all the given offsets are free.
func ClaimFree(ctx context.Context, offsets []int) (*Block, error) {
	for base := firstBlock + blockSize; base <= lastBlock; base += blockSize {
		block, err := claim(base)
		if err != nil {
			return nil, err
		}
		if block == nil {
			continue
		}
		if allFree(ctx, block, offsets) {
			return block, nil
		}
		block.Release()
	}
	return nil, fmt.Errorf("no %d free ports in a row between %d and %d", blockSize, firstBlock, lastBlock)
}

func allFree(ctx context.Context, block *Block, offsets []int) bool {
	for _, offset := range offsets {
		if !Free(ctx, block.Port(offset)) {
			return false
		}
	}
	return true
}

func claim(base int) (*Block, error) {
	dir := filepath.Join(os.TempDir(), "caravan-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	_ = os.Chmod(dir, 0o1777) // several users share the ports of a machine; the umask may have taken a bit
	file, err := openLock(filepath.Join(dir, strconv.Itoa(base)))
	if err != nil {
		return nil, fmt.Errorf("port lock: %w", err)
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil, file.Close()
	}
	return &Block{Base: base, lock: file}, nil
}

// openLock opens without O_CREATE first: the kernel refuses that on another user's file in a shared folder, while reading,
// which is enough to lock it, is open to all.
func openLock(path string) (*os.File, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o644)
	}
	return file, err
}

// Free says whether a server could listen on the port of loopback now.
func Free(ctx context.Context, port int) bool {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// Holder describes who listens on a port: "pid 4711 (nginx -g …)", or as much of it as this user may see.
func Holder(port int) string {
	inode := listeningInode(port)
	if inode == "" {
		return "another process"
	}
	link := "socket:[" + inode + "]"
	for _, pid := range pids() {
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		entries, _ := os.ReadDir(dir)
		for _, entry := range entries {
			if at, err := os.Readlink(filepath.Join(dir, entry.Name())); err == nil && at == link {
				return fmt.Sprintf("pid %d (%s)", pid, ProcessName(pid))
			}
		}
	}
	return "a process of another user"
}

// listeningInode finds the socket that listens on the port; empty if none does.
func listeningInode(port int) string {
	const stateListen = "0A"
	suffix := fmt.Sprintf(":%04X", port)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		content, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(content)) {
			fields := strings.Fields(line)
			if len(fields) > 9 && fields[3] == stateListen && strings.HasSuffix(fields[1], suffix) {
				return fields[9]
			}
		}
	}
	return ""
}
