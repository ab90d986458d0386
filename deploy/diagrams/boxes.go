package main

import "math"

const (
	rowHeight  = 2 * pitch
	headHeight = 2 * pitch
	rowSize    = 13.0
	ink        = "#1B2631"
	grey       = "#5D6D7E"
	hairline   = "#AEB6BF"
	paper      = "#FFFFFF"
)

// colors are the services' own; strong is the same hue for lines and headings.
func colors() map[string]string {
	return map[string]string{"user": "#D6EAF8", "product": "#D5F4E6", "order": "#FAE5D3", "payment": "#E8DAEF", "cart": "#FADBD8", "notification": "#FEF9E7", "edge": "#EAEDED"}
}

func strong(service string) string {
	return map[string]string{"user": "#1F618D", "product": "#117A45", "order": "#BA5A11", "payment": "#6C3483", "cart": "#B03A2E", "notification": "#9A7D0A", "edge": "#515A5A"}[service]
}

func titled(service string) string {
	return map[string]string{"user": "User", "product": "Product", "order": "Order", "payment": "Payment", "cart": "Cart", "notification": "Notification", "edge": "Edge"}[service]
}

// row is a line in a box: a mark, a name, and what stands at the right.
type row struct {
	Mark, Name, Note string
	Bold             bool
	Color            string // of the mark and the name; ink if empty
}

// panel is a box with a heading and rows: a table, a server, a list of topics.
type panel struct {
	Head, Sub  string
	HeadColor  string
	Rows       []row
	X, Y, W    float64
	MarkColumn float64
	NoHead     bool
	Fill       string
}

func (p *panel) height() float64 {
	return p.headHeight() + float64(len(p.Rows))*rowHeight
}

func (p *panel) headHeight() float64 {
	if p.NoHead {
		return 0
	}
	return headHeight
}

// fit makes the box as wide as its text, in even cells.
func (p *panel) fit(pens *pens) {
	widest := pens.width(p.Head, rowSize, true) + 20
	if p.Sub != "" {
		widest += pens.width(p.Sub, rowSize-2, false) + 14
	}
	for _, r := range p.Rows {
		if r.Mark != "" {
			p.MarkColumn = max(p.MarkColumn, pens.width(r.Mark, rowSize-3, true)+10)
		}
	}
	for _, r := range p.Rows {
		w := p.MarkColumn + pens.width(r.Name, rowSize, r.Bold) + 16
		if r.Note != "" {
			w += pens.width(r.Note, rowSize-1, false) + 18
		}
		widest = max(widest, w)
	}
	p.W = math.Ceil(widest/(2*pitch)) * 2 * pitch
}

// rowY is the middle of a row, where lines end.
func (p *panel) rowY(n int) float64 { return p.Y + p.headHeight() + float64(n)*rowHeight + rowHeight/2 }

func (p *panel) find(name string) int {
	for i, r := range p.Rows {
		if r.Name == name {
			return i
		}
	}
	return -1
}

func (p *panel) draw(s *sheet) {
	fill := p.Fill
	if fill == "" {
		fill = paper
	}
	s.box(p.X, p.Y, p.W, p.height(), fill, stroke{Color: grey, Width: 1.2})
	if !p.NoHead {
		s.box(p.X, p.Y, p.W, headHeight, p.HeadColor, stroke{Color: grey, Width: 1.2})
		s.text(p.X+8, p.Y+13.5, p.Head, rowSize, true, left, paper)
		if p.Sub != "" {
			s.text(p.X+p.W-7, p.Y+13, p.Sub, rowSize-2, false, right, paper)
		}
	}
	for i, r := range p.Rows {
		y := p.rowY(i)
		if i > 0 {
			s.line(stroke{Color: "#E5E8E8", Width: 0.7}, point{p.X + 1, y - rowHeight/2}, point{p.X + p.W - 1, y - rowHeight/2})
		}
		color := r.Color
		if color == "" {
			color = ink
		}
		if r.Mark != "" {
			s.text(p.X+6, y+4, r.Mark, rowSize-3, true, left, markColor(r.Mark))
		}
		s.text(p.X+p.MarkColumn+7, y+4.5, r.Name, rowSize, r.Bold, left, color)
		if r.Note != "" {
			s.text(p.X+p.W-7, y+4.5, r.Note, rowSize-1, false, right, grey)
		}
	}
}

func markColor(mark string) string {
	if mark[0] == 'P' {
		return "#922B21"
	}
	return "#1A5276"
}

// ends gives where lines may reach a row from the left and from the right.
func (p *panel) ends(n int, sides string) []end {
	y := cell(p.rowY(n))
	var list []end
	for _, side := range sides {
		if side == 'l' {
			list = append(list, end{cell(p.X) - stub - 1, y, leftward})
		} else {
			list = append(list, end{cell(p.X+p.W) + stub + 1, y, rightward})
		}
	}
	return list
}

// anchor is the point on the box's edge that belongs to an end of a line.
func (p *panel) anchor(corner point) point {
	if corner.X < p.X {
		return point{p.X, corner.Y}
	}
	return point{p.X + p.W, corner.Y}
}

// tablePanel shows a table with its columns, types and marks. Foreign names the columns that refer to another service.
func tablePanel(t table, color string, foreign map[string]bool) *panel {
	p := &panel{Head: t.Name, HeadColor: color}
	for _, c := range t.Columns {
		r := row{Name: c.Name, Note: c.Type}
		if c.Null {
			r.Note += " ?"
		}
		switch references := c.References != ""; {
		case c.Primary && references:
			r.Mark, r.Bold = "PK FK", true
		case c.Primary && foreign[c.Name]:
			r.Mark, r.Bold = "PK FK*", true
		case c.Primary:
			r.Mark, r.Bold = "PK", true
		case foreign[c.Name]:
			r.Mark = "FK*"
		case references:
			r.Mark = "FK"
		}
		p.Rows = append(p.Rows, r)
	}
	return p
}
