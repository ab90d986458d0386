package pg

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
)

// isConnLoss knows the errors that pgx passes on when the server dies in the
// middle of a statement; pgx wraps some of them as text alone.
func isConnLoss(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EPIPE) {
		return true
	}
	return err != nil && strings.Contains(err.Error(), "conn closed")
}
