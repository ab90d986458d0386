package main

import (
	"container/heap"
	"math"
)

// pitch is the side of a cell of the grid that lines run on; boxes stand on it too.
const pitch = 9.0

// stub is how many cells on both sides of a box are kept for the ends of its lines.
const stub = 3

// What a step costs: lines are short, straight, apart from each other, and cross at right angles if they must.
const (
	stepCost    = 1.0
	bendCost    = 6.0
	crossCost   = 8.0
	besideCost  = 0.6
	overlapCost = 400.0
	borderCost  = 6.0
)

type direction int8

const (
	rightward direction = iota
	downward
	leftward
	upward
)

func (d direction) step() (int, int) {
	return [...]int{1, 0, -1, 0}[d], [...]int{0, 1, 0, -1}[d]
}

func (d direction) horizontal() bool { return d == rightward || d == leftward }

// grid knows where lines may run.
type grid struct {
	w, h    int
	blocked []bool
	border  []bool // along the edge of an area: lines would look like part of it
	across  []int  // the net of the horizontal line that runs here, 0 without one
	along   []int  // likewise of a vertical line
}

func newGrid(width, height float64) *grid {
	w, h := int(width/pitch), int(height/pitch)
	return &grid{w, h, make([]bool, w*h), make([]bool, w*h), make([]int, w*h), make([]int, w*h)}
}

func cell(v float64) int { return int(math.Round(v / pitch)) }

func (g *grid) index(x, y int) int { return y*g.w + x }

func (g *grid) inside(x, y int) bool { return x >= 0 && y >= 0 && x < g.w && y < g.h }

// block closes a rectangle, with a margin of so many cells beside and above it.
func (g *grid) block(x, y, w, h float64, beside, above int) {
	for cy := cell(y) - above; cy <= cell(y+h)+above; cy++ {
		for cx := cell(x) - beside; cx <= cell(x+w)+beside; cx++ {
			if g.inside(cx, cy) {
				g.blocked[g.index(cx, cy)] = true
			}
		}
	}
}

// fence makes lines keep a cell off the edge of a rectangle unless they cross it.
func (g *grid) fence(x, y, w, h float64) {
	for off := -1; off <= 1; off++ {
		for cx := cell(x); cx <= cell(x+w); cx++ {
			g.markBorder(cx, cell(y)+off)
			g.markBorder(cx, cell(y+h)+off)
		}
		for cy := cell(y); cy <= cell(y+h); cy++ {
			g.markBorder(cell(x)+off, cy)
			g.markBorder(cell(x+w)+off, cy)
		}
	}
}

func (g *grid) markBorder(x, y int) {
	if g.inside(x, y) {
		g.border[g.index(x, y)] = true
	}
}

// end is one place where a line may leave or reach a box: the cell just outside, and the way out.
type end struct {
	X, Y int
	Out  direction
}

type state struct {
	at  int
	dir direction
}

type visit struct {
	state
	cost, guess float64
}

type frontier []visit

func (f frontier) Len() int           { return len(f) }
func (f frontier) Less(i, j int) bool { return f[i].guess < f[j].guess }
func (f frontier) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *frontier) Push(v any)        { *f = append(*f, v.(visit)) }
func (f *frontier) Pop() any {
	old := *f
	last := old[len(old)-1]
	*f = old[:len(old)-1]
	return last
}

// route finds the cheapest way from one of the starts to one of the goals, and takes it for a net: lines of one net may
// join. The path is nil if there is none.
func (g *grid) route(starts, goals []end, net int) []point {
	goal := map[state]bool{}
	for _, e := range goals {
		goal[state{g.index(e.X, e.Y), (e.Out + 2) % 4}] = true
	}
	best, from := map[state]float64{}, map[state]state{}
	open := &frontier{}
	for _, e := range starts {
		s := state{g.index(e.X, e.Y), e.Out}
		best[s] = 0
		heap.Push(open, visit{s, 0, g.guess(s.at, goals)})
	}
	for open.Len() > 0 {
		now := heap.Pop(open).(visit)
		if goal[now.state] {
			return g.take(now.state, from, net)
		}
		if now.cost > best[now.state] {
			continue
		}
		for dir := rightward; dir <= upward; dir++ {
			next, cost, ok := g.move(now.state, dir, goal, net)
			if !ok {
				continue
			}
			total := now.cost + cost
			if known, seen := best[next]; seen && known <= total {
				continue
			}
			best[next], from[next] = total, now.state
			heap.Push(open, visit{next, total, total + g.guess(next.at, goals)})
		}
	}
	return nil
}

// move says what a step in a direction costs.
func (g *grid) move(s state, dir direction, goal map[state]bool, net int) (state, float64, bool) {
	if (dir+2)%4 == s.dir {
		return state{}, 0, false
	}
	dx, dy := dir.step()
	x, y := s.at%g.w+dx, s.at/g.w+dy
	if !g.inside(x, y) {
		return state{}, 0, false
	}
	at := g.index(x, y)
	next := state{at, dir}
	if g.blocked[at] && !goal[next] {
		return state{}, 0, false
	}
	cost := stepCost
	if dir != s.dir {
		cost += bendCost
		// A bend upon another line would look like a junction.
		if other(g.across[s.at], net) || other(g.along[s.at], net) {
			cost += overlapCost
		}
	}
	same, cross := g.across, g.along
	if !dir.horizontal() {
		same, cross = g.along, g.across
	}
	switch {
	case other(same[at], net):
		cost += overlapCost
	case other(cross[at], net):
		cost += crossCost
	}
	if g.border[at] && g.border[s.at] {
		cost += borderCost
	}
	return next, cost + g.crowd(x, y, dir, same, net), true
}

func other(line, net int) bool { return line != 0 && line != net }

// crowd keeps lines from running side by side where there is room.
func (g *grid) crowd(x, y int, dir direction, same []int, net int) float64 {
	dx, dy := dir.step()
	cost := 0.0
	for _, side := range []int{-1, 1} {
		if nx, ny := x+dy*side, y+dx*side; g.inside(nx, ny) && other(same[g.index(nx, ny)], net) {
			cost += besideCost
		}
	}
	return cost
}

func (g *grid) guess(at int, goals []end) float64 {
	x, y := at%g.w, at/g.w
	least := math.Inf(1)
	for _, e := range goals {
		least = min(least, math.Abs(float64(e.X-x))+math.Abs(float64(e.Y-y)))
	}
	return least * stepCost
}

// take walks back from the goal, marks the cells as taken, and gives the corners of the way.
func (g *grid) take(s state, from map[state]state, net int) []point {
	var way []state
	for {
		way = append([]state{s}, way...)
		before, ok := from[s]
		if !ok {
			break
		}
		s = before
	}
	var corners []point
	for i, s := range way {
		if i == 0 || i == len(way)-1 || way[i+1].dir != s.dir {
			corners = append(corners, point{float64(s.at%g.w) * pitch, float64(s.at/g.w) * pitch})
		}
		for _, turn := range []state{s, way[min(i+1, len(way)-1)]} {
			if turn.dir.horizontal() {
				g.across[s.at] = net
			} else {
				g.along[s.at] = net
			}
		}
	}
	return corners
}
