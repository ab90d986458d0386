package stack

import "testing"

func TestProcessors(t *testing.T) {
	for _, c := range []struct {
		process string
		cores   int
		want    int
	}{
		{order, 1, 1}, {order, 2, 1}, {sidecarOf(user), 2, 1}, {order, 3, 1}, {order, 8, 4},
		{user, 2, 2}, {product, 8, 8}, {product, 1, 1},
	} {
		if got := processors(c.process, c.cores); got != c.want {
			t.Errorf("%s of %d: got %d, want %d", c.process, c.cores, got, c.want)
		}
	}
}
