package main

import (
	"fmt"
	"html"
	"image"
	"image/png"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/fogleman/gg"
	"github.com/go-fonts/liberation/liberationsansbold"
	"github.com/go-fonts/liberation/liberationsansregular"
	"github.com/go-pdf/fpdf"
	"golang.org/x/image/draw"
)

const (
	dashOn, dashOff = 7, 5
	typeface        = "Liberation Sans"
)

// svg gives the sheet as text: the form that is compared to find out whether a picture is out of date.
func (s *sheet) svg() string {
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="420mm" viewBox="0 0 %s %s" font-family="'%s', Arial, Helvetica, sans-serif" role="img">`+"\n",
		number(s.Width), number(s.Height), typeface)
	fmt.Fprintf(&out, "<title>%s</title>\n", html.EscapeString(s.Title))
	fmt.Fprintf(&out, `<rect width="%s" height="%s" fill="#FFFFFF"/>`+"\n", number(s.Width), number(s.Height))
	for _, mark := range s.Marks {
		switch m := mark.(type) {
		case shape:
			fmt.Fprintf(&out, `<path d="%s" fill="%s"%s/>`+"\n", m.path(), orNone(m.Fill), m.Line.attributes())
		case disc:
			fmt.Fprintf(&out, `<circle cx="%s" cy="%s" r="%s" fill="%s"%s/>`+"\n", number(m.At.X), number(m.At.Y), number(m.Radius), orNone(m.Fill), m.Line.attributes())
		case label:
			weight := ""
			if m.Bold {
				weight = ` font-weight="bold"`
			}
			fmt.Fprintf(&out, `<text x="%s" y="%s" font-size="%s"%s text-anchor="%s" fill="%s">%s</text>`+"\n", number(m.At.X), number(m.At.Y), number(m.Size),
				weight, [...]string{"start", "middle", "end"}[m.Align], m.Color, html.EscapeString(m.Text))
		}
	}
	out.WriteString("</svg>\n")
	return out.String()
}

func (m shape) path() string {
	var d strings.Builder
	for i, p := range m.Points {
		fmt.Fprintf(&d, "%c%s %s", "ML"[min(i, 1)], number(p.X), number(p.Y))
	}
	if m.Closed {
		d.WriteByte('Z')
	}
	return d.String()
}

func (l stroke) attributes() string {
	if l.Width == 0 {
		return ""
	}
	dash := ""
	if l.Dashed {
		dash = fmt.Sprintf(` stroke-dasharray="%d %d"`, dashOn, dashOff)
	}
	return fmt.Sprintf(` stroke="%s" stroke-width="%s"%s`, l.Color, number(l.Width), dash)
}

func orNone(color string) string {
	if color == "" {
		return "none"
	}
	return color
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// png writes the sheet at so many pixels a unit.
func (s *sheet) png(w io.Writer, scale float64) error {
	return png.Encode(w, s.paint(scale))
}

// smallPNG writes the sheet for a screen. Painted at three times the size first: glyphs are set on whole pixels, which
// moves the letters of small text into each other.
func (s *sheet) smallPNG(w io.Writer, scale float64) error {
	large := s.paint(3 * scale)
	bounds := image.Rect(0, 0, large.Bounds().Dx()/3, large.Bounds().Dy()/3)
	small := image.NewRGBA(bounds)
	draw.CatmullRom.Scale(small, bounds, large, large.Bounds(), draw.Src, nil)
	return png.Encode(w, small)
}

func (s *sheet) paint(scale float64) image.Image {
	c := gg.NewContext(int(s.Width*scale+0.5), int(s.Height*scale+0.5))
	c.SetHexColor("#FFFFFF")
	c.Clear()
	for _, mark := range s.Marks {
		switch m := mark.(type) {
		case shape:
			for _, p := range m.Points {
				c.LineTo(p.X*scale, p.Y*scale)
			}
			if m.Closed {
				c.ClosePath()
			}
			finish(c, m.Fill, m.Line, scale)
		case disc:
			c.DrawCircle(m.At.X*scale, m.At.Y*scale, m.Radius*scale)
			finish(c, m.Fill, m.Line, scale)
		case label:
			c.SetFontFace(s.pens.face(m.Bold, m.Size*scale))
			c.SetHexColor(m.Color)
			c.DrawStringAnchored(m.Text, m.At.X*scale, m.At.Y*scale, float64(m.Align)/2, 0)
		}
	}
	return c.Image()
}

func finish(c *gg.Context, fill string, line stroke, scale float64) {
	if fill != "" {
		c.SetHexColor(fill)
		c.FillPreserve()
	}
	if line.Width > 0 {
		c.SetHexColor(line.Color)
		c.SetLineWidth(line.Width * scale)
		c.SetDash()
		if line.Dashed {
			c.SetDash(dashOn*scale, dashOff*scale)
		}
		c.StrokePreserve()
	}
	c.ClearPath()
}

// pdf writes the sheet on one page as wide as A3.
func (s *sheet) pdf(w io.Writer) error {
	scale := 420 / s.Width // millimetres a unit
	doc := fpdf.NewCustom(&fpdf.InitType{UnitStr: "mm", Size: fpdf.SizeType{Wd: 420, Ht: s.Height * scale}})
	doc.SetCreationDate(time.Unix(0, 0).UTC()) // the same sheet makes the same file
	doc.SetModificationDate(time.Unix(0, 0).UTC())
	doc.SetCatalogSort(true)
	doc.SetTitle(s.Title, true)
	doc.AddUTF8FontFromBytes("sans", "", liberationsansregular.TTF)
	doc.AddUTF8FontFromBytes("sans", "B", liberationsansbold.TTF)
	doc.SetAutoPageBreak(false, 0)
	doc.AddPage()
	for _, mark := range s.Marks {
		switch m := mark.(type) {
		case shape:
			style := pen(doc, m.Fill, m.Line, scale)
			for i, p := range m.Points {
				if i == 0 {
					doc.MoveTo(p.X*scale, p.Y*scale)
				} else {
					doc.LineTo(p.X*scale, p.Y*scale)
				}
			}
			if m.Closed {
				doc.ClosePath()
			}
			doc.DrawPath(style)
		case disc:
			doc.Circle(m.At.X*scale, m.At.Y*scale, m.Radius*scale, pen(doc, m.Fill, m.Line, scale))
		case label:
			s.write(doc, m, scale)
		}
	}
	return doc.Output(w)
}

func (s *sheet) write(doc *fpdf.Fpdf, m label, scale float64) {
	style := ""
	if m.Bold {
		style = "B"
	}
	doc.SetFont("sans", style, 0)
	doc.SetFontUnitSize(m.Size * scale)
	doc.SetTextColor(rgb(m.Color))
	x := m.At.X - s.pens.width(m.Text, m.Size, m.Bold)*float64(m.Align)/2
	doc.Text(x*scale, m.At.Y*scale, m.Text)
}

func pen(doc *fpdf.Fpdf, fill string, line stroke, scale float64) string {
	style := ""
	if fill != "" {
		doc.SetFillColor(rgb(fill))
		style += "F"
	}
	if line.Width > 0 {
		doc.SetDrawColor(rgb(line.Color))
		doc.SetLineWidth(line.Width * scale)
		doc.SetDashPattern(nil, 0)
		if line.Dashed {
			doc.SetDashPattern([]float64{dashOn * scale, dashOff * scale}, 0)
		}
		style += "D"
	}
	return style
}

// rgb takes #RRGGBB apart.
func rgb(color string) (int, int, int) {
	v, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 32)
	if err != nil {
		panic(fmt.Sprintf("color %q: %v", color, err)) // the colors are constants of ours
	}
	return int(v >> 16 & 255), int(v >> 8 & 255), int(v & 255)
}
