package main

import "fmt"

// foot is how an end of a line says how many: exactly one, none or one, many.
type foot int

const (
	bare foot = iota
	one
	noneOrOne
	many
	arrow
)

// link is a line between rows of two boxes.
type link struct {
	From, To           *panel
	FromRow, ToRow     int
	FromSides, ToSides string // "l", "r" or "lr"
	FromFoot, ToFoot   foot
	Line               stroke
	Text               string // beside the line's start
	Net                string // lines that may join although they end apart
}

// drawLinks routes the lines one after the other, and draws them with their ends.
func drawLinks(s *sheet, g *grid, links []link) error {
	nets := map[string]int{}
	for i, l := range links {
		// Solid lines of one color to the same row join; dashes that lie upon each other could not be told apart.
		net := fmt.Sprint(l.To.Head, l.ToRow, l.Line.Color)
		if l.Net != "" {
			net = l.Net
		}
		if l.Line.Dashed || nets[net] == 0 {
			nets[net] = i + 1
		}
		way := g.route(l.From.ends(l.FromRow, l.FromSides), l.To.ends(l.ToRow, l.ToSides), nets[net])
		if way == nil {
			return fmt.Errorf("%s: no way for a line from %s to %s", s.Name, l.From.Head, l.To.Head)
		}
		start, finish := l.From.anchor(way[0]), l.To.anchor(way[len(way)-1])
		points := append(append([]point{start}, way...), finish)
		s.line(l.Line, points...)
		s.foot(start, way[0], l.FromFoot, l.Line)
		s.foot(finish, way[len(way)-1], l.ToFoot, l.Line)
		if l.Text != "" {
			align, x := left, start.X+14
			if way[0].X < start.X {
				align, x = right, start.X-14
			}
			s.text(x, start.Y-4.5, l.Text, 9.5, true, align, l.Line.Color)
		}
	}
	return nil
}

// foot draws the end of a line at a box.
func (s *sheet) foot(at, towards point, kind foot, line stroke) {
	way := 1.0
	if towards.X < at.X {
		way = -1
	}
	solid := stroke{Color: line.Color, Width: line.Width}
	bar := func(distance float64) {
		s.line(solid, point{at.X + way*distance, at.Y - 5}, point{at.X + way*distance, at.Y + 5})
	}
	switch kind {
	case one:
		bar(6)
		bar(10)
	case noneOrOne:
		bar(6)
		s.ring(at.X+way*13, at.Y, 4, paper, solid)
	case many:
		s.line(solid, point{at.X, at.Y - 5.5}, point{at.X + way*11, at.Y}, point{at.X, at.Y + 5.5})
	case arrow:
		s.Marks = append(s.Marks, shape{Points: []point{at, {at.X + way*10, at.Y - 4.5}, {at.X + way*10, at.Y + 4.5}}, Closed: true, Fill: line.Color})
	}
}
