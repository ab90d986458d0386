package main

import (
	"fmt"

	"github.com/go-fonts/liberation/liberationsansbold"
	"github.com/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
)

// point is a place on a sheet, in units; a sheet of paper size A3 is 2480 units wide, six to a millimetre.
type point struct{ X, Y float64 }

// stroke says how a line is drawn. The zero stroke draws nothing.
type stroke struct {
	Color  string
	Width  float64
	Dashed bool
}

// shape is a polygon or a polyline.
type shape struct {
	Points []point
	Closed bool
	Fill   string // "" leaves it open
	Line   stroke
}

// disc is a filled circle.
type disc struct {
	At     point
	Radius float64
	Fill   string
	Line   stroke
}

// alignment places a text left of, around or right of its point.
type alignment int

const (
	left alignment = iota
	middle
	right
)

// label is one line of text; Y is its baseline.
type label struct {
	At    point
	Text  string
	Size  float64
	Bold  bool
	Align alignment
	Color string
}

// sheet collects what is drawn, in order. Each format writes the same sheet.
type sheet struct {
	Name, Title   string
	Width, Height float64
	Marks         []any // shape, disc or label
	pens          *pens
}

func newSheet(name, title string, width, height float64, p *pens) *sheet {
	return &sheet{Name: name, Title: title, Width: width, Height: height, pens: p}
}

func (s *sheet) box(x, y, w, h float64, fill string, line stroke) {
	s.Marks = append(s.Marks, shape{Points: []point{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}, Closed: true, Fill: fill, Line: line})
}

func (s *sheet) line(line stroke, points ...point) {
	s.Marks = append(s.Marks, shape{Points: points, Line: line})
}

func (s *sheet) ring(x, y, radius float64, fill string, line stroke) {
	s.Marks = append(s.Marks, disc{point{x, y}, radius, fill, line})
}

func (s *sheet) text(x, y float64, text string, size float64, bold bool, align alignment, color string) {
	s.Marks = append(s.Marks, label{point{x, y}, text, size, bold, align, color})
}

// pens measures text with the typeface that all formats are drawn in.
type pens struct{ regular, bold *opentype.Font }

// Measured at one size, in whole points, and scaled: hinting at small sizes would make widths depend on the size.
const measureSize = 100

func newPens() (*pens, error) {
	regular, err := opentype.Parse(liberationsansregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("regular typeface: %w", err)
	}
	bold, err := opentype.Parse(liberationsansbold.TTF)
	if err != nil {
		return nil, fmt.Errorf("bold typeface: %w", err)
	}
	return &pens{regular, bold}, nil
}

func (p *pens) face(bold bool, size float64) font.Face {
	typeface := p.regular
	if bold {
		typeface = p.bold
	}
	face, err := opentype.NewFace(typeface, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		panic(fmt.Sprintf("face of %g: %v", size, err)) // the options are constants of ours
	}
	return face
}

func (p *pens) width(text string, size float64, bold bool) float64 {
	return float64(font.MeasureString(p.face(bold, measureSize), text)) / 64 * size / measureSize
}
