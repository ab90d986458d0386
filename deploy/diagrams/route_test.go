package main

import "testing"

// TestRouteKeepsClear: lines go around boxes, and two lines to different ends never lie upon each other.
func TestRouteKeepsClear(t *testing.T) {
	g := newGrid(60*pitch, 40*pitch)
	g.block(20*pitch, 10*pitch, 10*pitch, 20*pitch, 1, 1)
	var ways [][]point
	for n := range 5 {
		y := 12 + 3*n
		way := g.route([]end{{5, y, rightward}}, []end{{50, y, rightward + 2}}, n+1)
		if way == nil {
			t.Fatalf("line %d found no way", n)
		}
		ways = append(ways, way)
	}
	taken := map[[3]int]int{} // cell and orientation -> line
	for n, way := range ways {
		for i := 1; i < len(way); i++ {
			for _, c := range cellsBetween(way[i-1], way[i]) {
				if g.blocked[g.index(c[0], c[1])] {
					t.Errorf("line %d runs through the box at %v", n, c)
				}
				if before, ok := taken[c]; ok && before != n {
					t.Errorf("lines %d and %d lie upon each other at %v", before, n, c)
				}
				taken[c] = n
			}
		}
	}
}

// cellsBetween lists the cells of a straight piece with its orientation.
func cellsBetween(a, b point) [][3]int {
	var list [][3]int
	x, y, toX, toY := cell(a.X), cell(a.Y), cell(b.X), cell(b.Y)
	orientation := 0
	if x == toX {
		orientation = 1
	}
	for x != toX || y != toY {
		list = append(list, [3]int{x, y, orientation})
		x += min(1, max(-1, toX-x))
		y += min(1, max(-1, toY-y))
	}
	return list
}

func TestRouteWithoutWay(t *testing.T) {
	g := newGrid(20*pitch, 20*pitch)
	g.block(10*pitch, 0, 0, 20*pitch, 0, 0)
	if way := g.route([]end{{2, 5, rightward}}, []end{{18, 5, leftward}}, 1); way != nil {
		t.Errorf("got a way through a wall: %v", way)
	}
}
