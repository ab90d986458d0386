package ledger

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

var (
	errClosed  = errors.New("journal is closed")
	errCorrupt = errors.New("journal is damaged before its last line")
)

// journal is an append-only file of lines. Appending only queues a line; one
// goroutine writes and syncs all that has queued up meanwhile, so many writers
// share one fsync.
type journal struct {
	file *os.File
	wake chan struct{}
	done chan struct{}

	mu       sync.Mutex
	synced   *sync.Cond
	queue    []byte
	size     int64  // of the file, the queue included
	appended uint64 // lines queued since the start
	durable  uint64 // of these, on disk
	closed   bool
	err      error // once set, nothing is written any more
}

// openJournal replays the lines of the file at path, made if absent, and opens it for
// appending. A last line that was cut off by a crash was acknowledged to nobody
// and is removed.
func openJournal(path string, replay func(offset int64, line []byte) error) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	good, err := replayLines(file, replay)
	if err == nil {
		err = file.Truncate(good)
	}
	if err == nil {
		_, err = file.Seek(good, io.SeekStart)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open journal: %w", err), file.Close())
	}
	j := &journal{file: file, wake: make(chan struct{}, 1), done: make(chan struct{}), size: good}
	j.synced = sync.NewCond(&j.mu)
	go j.flushLoop()
	return j, nil
}

// replayLines returns the offset behind the last line that is whole.
func replayLines(file io.Reader, replay func(int64, []byte) error) (int64, error) {
	r := bufio.NewReaderSize(file, 1<<20)
	var good int64
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return good, nil
		}
		if err != nil {
			return 0, err
		}
		if err := replay(good, line); err != nil {
			if _, more := r.ReadByte(); errors.Is(more, io.EOF) {
				return good, nil
			}
			return 0, fmt.Errorf("%w (byte %d): %w", errCorrupt, good, err)
		}
		good += int64(len(line))
	}
}

// syncDir makes the file's entry in its directory durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// append queues one line, without its end. It returns where the line will stand
// and its number for wait.
func (j *journal) append(line []byte) (offset int64, number uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	offset = j.size
	j.queue = append(append(j.queue, line...), '\n')
	j.size += int64(len(line)) + 1
	j.appended++
	select {
	case j.wake <- struct{}{}:
	default: // awake already
	}
	return offset, j.appended
}

// tail is the number of the last line queued.
func (j *journal) tail() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.appended
}

// wait returns once the line of that number and all before it are on disk.
func (j *journal) wait(number uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.durable < number && j.err == nil {
		j.synced.Wait()
	}
	if j.durable >= number {
		return nil
	}
	return j.err
}

// readLine returns the line at an offset that append or replay gave.
func (j *journal) readLine(offset int64) ([]byte, error) {
	r := bufio.NewReader(io.NewSectionReader(j.file, offset, 1<<62))
	return r.ReadBytes('\n')
}

func (j *journal) flushLoop() {
	defer close(j.done)
	for range j.wake {
		j.mu.Lock()
		lines, upTo := j.queue, j.appended
		j.queue = nil
		j.mu.Unlock()
		_, err := j.file.Write(lines)
		if err == nil {
			err = j.file.Sync()
		}
		j.mu.Lock()
		switch {
		case j.err != nil:
		case err != nil:
			// What is on disk is unknown now, so nothing may be acknowledged again.
			j.err = fmt.Errorf("write journal: %w", err)
		default:
			j.durable = upTo
		}
		j.synced.Broadcast()
		j.mu.Unlock()
	}
}

// failed returns why the journal can no longer be written, nil if it can.
func (j *journal) failed() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// close writes what is queued and closes the file. Nothing may be appended after.
func (j *journal) close() error {
	err := j.wait(j.tail())
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return err
	}
	j.closed = true
	if j.err == nil {
		j.err = errClosed
	}
	j.mu.Unlock()
	close(j.wake)
	<-j.done
	return errors.Join(err, j.file.Close())
}
