package main

import (
	"fmt"
	"slices"
	"strings"
)

// margin is what stays free around a sheet.
const margin = 4 * pitch

// Inside an area: beside its boxes, above them (for its title), and between two boxes of a column.
const (
	areaSide  = 6 * pitch
	areaHead  = 6 * pitch
	areaFoot  = 3 * pitch
	boxGap    = 4 * pitch
	columnGap = 10 * pitch
)

// area is a service's ground, with its boxes in columns and its technical tables below.
type area struct {
	Service, Note string
	Columns       [][]*panel
	Small         *panel
	X, Y, W, H    float64
}

// place puts the area's boxes at their places; extra widens the gaps between columns.
func (a *area) place(x, y, extra float64) {
	a.X, a.Y = x, y
	at, bottom := x+areaSide, y+areaHead
	for i, boxes := range a.Columns {
		if i > 0 {
			at += columnGap + extra
		}
		down, widest := y+areaHead, 0.0
		for _, b := range boxes {
			b.X, b.Y = at, down
			down += b.height() + boxGap
			widest = max(widest, b.W)
		}
		at += widest
		bottom = max(bottom, down)
	}
	a.W = at + areaSide - x
	if a.Small != nil {
		a.Small.X, a.Small.Y = x+areaSide, bottom
		bottom += a.Small.height() + areaFoot
	}
	a.H = bottom - y
}

func (a *area) panels() []*panel {
	all := slices.Concat(a.Columns...)
	if a.Small != nil {
		all = append(all, a.Small)
	}
	return all
}

func (a *area) draw(s *sheet) {
	s.box(a.X, a.Y, a.W, a.H, colors()[a.Service], stroke{Color: strong(a.Service), Width: 1.6})
	s.text(a.X+areaSide, a.Y+28, titled(a.Service), 22, true, left, strong(a.Service))
	s.text(a.X+areaSide+s.pens.width(titled(a.Service), 22, true)+14, a.Y+27, a.Note, 13, false, left, ink)
	for _, p := range a.panels() {
		p.draw(s)
	}
}

// complete draws every service with its tables and all relationships.
func complete(shop *shop, pens *pens, name string, width float64) (*sheet, error) {
	s := newSheet(name, "Complete E-Commerce System ER Diagram", width, sheetHeight, pens)
	areas, err := completeAreas(shop, pens)
	if err != nil {
		return nil, err
	}
	upper := []*area{areas["user"], areas["cart"], areas["product"]}
	lower := []*area{areas["payment"], areas["order"], areas["notification"]}
	bottom := spread(upper, margin+6*pitch, width)
	spread(lower, bottom+9*pitch, width)
	g := newGrid(s.Width, s.Height)
	for _, a := range slices.Concat(upper, lower) {
		a.draw(s)
		g.fence(a.X, a.Y, a.W, a.H)
		g.block(a.X+areaSide, a.Y+pitch, pens.width(titled(a.Service), 22, true)+14+pens.width(a.Note, 13, false), 2*pitch, 0, 0)
		for _, p := range a.panels() {
			g.block(p.X, p.Y, p.W, p.height(), stub, 1)
		}
	}
	links, err := completeLinks(shop, areas)
	if err != nil {
		return nil, err
	}
	if err := drawLinks(s, g, links); err != nil {
		return nil, err
	}
	s.heading("Six services, four PostgreSQL databases and one MongoDB collection. A service opens no store but its own.")
	completeLegend(s, areas["notification"])
	s.caption("Figure 1. Tables and columns as the migrations make them, the cart as document.schema.json describes it. Solid: foreign keys inside a database. " +
		"Dashed: the ten relationships between services, kept by the application.")
	return s, nil
}

// spread places a row of areas over the whole width and gives where the row ends.
func spread(row []*area, y, width float64) float64 {
	free, gaps := width-2*margin, 0.0
	for _, a := range row {
		a.place(0, 0, 0)
		free -= a.W
		gaps += float64(len(a.Columns) - 1)
	}
	// Room between areas counts like room between columns.
	gaps += float64(len(row) - 1)
	share := float64(int(free/gaps/pitch)) * pitch
	x, bottom := margin, 0.0
	for _, a := range row {
		a.place(x, y, min(share, 14*pitch))
		x += a.W
		bottom = max(bottom, a.Y+a.H)
	}
	gap := float64(int((width-2*margin-(x-margin))/float64(len(row)-1)/pitch)) * pitch
	for i, a := range row {
		a.place(a.X+float64(i)*gap, y, min(share, 14*pitch))
		a.H = bottom - y
	}
	return bottom
}

func completeAreas(shop *shop, pens *pens) (map[string]*area, error) {
	areas := map[string]*area{}
	for _, service := range services() {
		a := &area{Service: service, Note: noteOf(service)}
		for _, names := range business()[service] {
			var boxes []*panel
			widest := 0.0
			for _, name := range names {
				t, err := shop.table(service, name)
				if err != nil {
					return nil, err
				}
				p := tablePanel(t, strong(service), foreignOf(name))
				p.fit(pens)
				widest = max(widest, p.W)
				boxes = append(boxes, p)
			}
			for _, p := range boxes {
				p.W = widest
			}
			a.Columns = append(a.Columns, boxes)
		}
		a.Small = smallPanel(shop, service, pens, 0)
		areas[service] = a
	}
	areas["notification"].Columns = [][]*panel{{areas["notification"].Small}}
	areas["notification"].Small = nil
	for service, a := range areas {
		a.place(0, 0, 0)
		if a.Small != nil {
			a.Small = smallPanel(shop, service, pens, a.W-2*areaSide)
		}
	}
	return areas, nil
}

func noteOf(service string) string {
	switch service {
	case "cart":
		return "MongoDB 7 · cart_service_db"
	case "notification":
		return "no database"
	}
	return "PostgreSQL 16 · " + service + "_service_db"
}

func foreignOf(tableName string) map[string]bool {
	columns := map[string]bool{}
	for _, r := range crossRelations() {
		if r.From == tableName {
			columns[r.Field] = true
		}
	}
	return columns
}

// smallPanel lists what a service keeps besides the model: Redis keys, its index, technical tables.
func smallPanel(shop *shop, service string, pens *pens, width float64) *panel {
	p := &panel{NoHead: true, Fill: "#FDFEFE"}
	for _, k := range keys()[service] {
		p.Rows = append(p.Rows, row{Mark: "Redis 7", Name: k.Pattern, Note: k.Meaning})
	}
	if service == "product" {
		p.Rows = append(p.Rows, row{Mark: "Elasticsearch 8", Name: searchIndex().Pattern, Note: searchIndex().Meaning})
	}
	var names []string
	for _, t := range shop.technical(service) {
		names = append(names, t.Name)
	}
	for i, text := range wrap(pens, names, width-110) {
		r := row{Name: text, Color: grey}
		if i == 0 {
			r.Mark = "Technical"
		}
		p.Rows = append(p.Rows, r)
	}
	for i, text := range wrap(pens, shop.sends(service), width-110) {
		r := row{Name: text, Color: grey}
		if i == 0 {
			r.Mark = "Publishes"
		}
		p.Rows = append(p.Rows, r)
	}
	if service == "notification" {
		p.Rows = append(p.Rows, row{Mark: "Listens to", Name: fmt.Sprint(len(shop.Listens[service]), " topics"), Note: "see Figure 4"})
	}
	if width == 0 && service != "notification" {
		p.Rows = p.Rows[:0] // measured later, when the area's width is known
	}
	p.fit(pens)
	p.W = max(p.W, float64(int(width/pitch))*pitch)
	return p
}

func (s *shop) sends(service string) []string {
	var names []string
	for _, t := range s.Topics {
		if t.Producer == service {
			names = append(names, t.Name)
		}
	}
	return names
}

// wrap puts words on as few lines as a width allows.
func wrap(pens *pens, words []string, width float64) []string {
	var lines []string
	for _, word := range words {
		if n := len(lines); n > 0 && pens.width(lines[n-1]+" · "+word, rowSize, false) <= width {
			lines[n-1] += " · " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}

func completeLinks(shop *shop, areas map[string]*area) ([]link, error) {
	panels := map[string]*panel{}
	for _, a := range areas {
		for _, p := range slices.Concat(a.Columns...) {
			panels[p.Head] = p
		}
	}
	var links []link
	for _, service := range services() {
		for _, names := range business()[service] {
			for _, name := range names {
				t, err := shop.table(service, name)
				if err != nil {
					return nil, err
				}
				links = append(links, innerLinks(t, panels, strong(service))...)
			}
		}
	}
	for _, r := range crossRelations() {
		from, to := panels[r.From], panels[r.To]
		source, err := shop.table(r.FromService, r.From)
		if err != nil {
			return nil, err
		}
		c, ok := source.column(r.Field)
		if !ok {
			return nil, fmt.Errorf("%s has no %s", r.From, r.Field)
		}
		l := link{From: from, To: to, FromRow: from.find(r.Field), ToRow: to.find("id"), FromSides: "lr", ToSides: "lr",
			FromFoot: many, ToFoot: one, Text: r.Cardinality, Line: stroke{Color: strong(r.FromService), Width: 1.7, Dashed: true}}
		if strings.HasPrefix(r.Cardinality, "1") {
			l.FromFoot = noneOrOne
		}
		if c.Null {
			l.ToFoot = noneOrOne
		}
		links = append(links, l)
	}
	return links, nil
}

// innerLinks are the foreign keys between tables of the model.
func innerLinks(t table, panels map[string]*panel, color string) []link {
	var links []link
	for _, c := range t.Columns {
		from, to := panels[t.Name], panels[c.References]
		if c.References == "" || to == nil {
			continue
		}
		l := link{From: from, To: to, FromRow: from.find(c.Name), ToRow: to.find(c.ReferencesColumn), FromSides: "lr", ToSides: "lr",
			FromFoot: many, ToFoot: one, Text: "N:1", Line: stroke{Color: color, Width: 1.7}}
		if c.Unique {
			l.FromFoot, l.Text = noneOrOne, "1:1"
		}
		if c.Null {
			l.ToFoot = noneOrOne
		}
		links = append(links, l)
	}
	return links
}

// completeLegend explains marks and lines in what room there is below Notification.
func completeLegend(s *sheet, beside *area) {
	x, y := beside.X+areaSide, beside.Columns[0][0].Y+beside.Columns[0][0].height()+5*pitch
	s.text(x, y, "How to read it", 16, true, left, ink)
	line := func(n int, draw func(y float64), text string) {
		at := y + float64(n)*26
		draw(at - 4.5)
		s.text(x+110, at, text, 13, false, left, ink)
	}
	solid, dashed := stroke{Color: ink, Width: 1.7}, stroke{Color: ink, Width: 1.7, Dashed: true}
	sample := func(st stroke, a, b foot) func(float64) {
		return func(y float64) {
			s.line(st, point{x, y}, point{x + 90, y})
			s.foot(point{x, y}, point{x + 1, y}, a, st)
			s.foot(point{x + 90, y}, point{x + 89, y}, b, st)
		}
	}
	word := func(text, color string) func(float64) {
		return func(y float64) { s.text(x, y+4.5, text, 12, true, left, color) }
	}
	line(1, sample(solid, many, one), "foreign key: many to one")
	line(2, sample(solid, noneOrOne, one), "foreign key: at most one to one")
	line(3, sample(solid, many, noneOrOne), "foreign key that may be null")
	line(4, sample(dashed, many, one), "to another service: no constraint,")
	line(5, func(float64) {}, "checked at write and reconciled")
	line(6, word("PK", markColor("P")), "part of the primary key")
	line(7, word("FK", markColor("F")), "foreign key of the database")
	line(8, word("FK*", markColor("F")), "id of another service's row")
	line(9, word("?", grey), "after a type: may be null")
}
