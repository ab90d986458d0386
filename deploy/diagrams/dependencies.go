package main

import (
	"fmt"
	"slices"
	"strings"
)

// dependencies draws who asks whom: the routes that the access control between the sidecars allows.
func dependencies(shop *shop, pens *pens) (*sheet, error) {
	s := newSheet("service-dependencies", "Service Dependencies", plainWidth, plainHeight, pens)
	s.heading("Every call goes through two sidecars with mutual TLS; the callee's sidecar knows the caller by its certificate and denies what is not listed.")
	panels := map[string]*panel{}
	for _, service := range services() {
		panels[service] = calleePanel(shop, service, pens)
	}
	panels["edge"] = &panel{Head: "Edge", Sub: "reverse proxy and sidecar, the only door for clients", HeadColor: strong("edge"),
		Rows: []row{{Name: "/v1/** and /.well-known/** of all six", Note: "with the caller's access token"}}}
	panels["edge"].fit(pens)
	placeCallees(panels)
	g := newGrid(s.Width, s.Height)
	for _, name := range append(services(), "edge") {
		p := panels[name]
		s.box(p.X-2*pitch, p.Y-2*pitch, p.W+4*pitch, p.height()+4*pitch, colors()[name], stroke{Color: strong(name), Width: 1.6})
		p.draw(s)
		g.fence(p.X-2*pitch, p.Y-2*pitch, p.W+4*pitch, p.height()+4*pitch)
		g.block(p.X, p.Y, p.W, p.height(), stub, 2)
	}
	if err := drawLinks(s, g, dependencyLinks(shop, panels)); err != nil {
		return nil, err
	}
	s.caption("Figure 2. From dapr/config: an arrow leads from the caller to what it may call. Dashed: the signing keys and revoked sessions that every service " +
		"fetches from User to verify access tokens. Events between services are in Figure 4.")
	return s, nil
}

const routeOfKeys, routeOfSessions = "/.well-known/jwks.json", "/internal/sessions/revoked"

// calleePanel lists each caller of a service with the routes it may call.
func calleePanel(shop *shop, service string, pens *pens) *panel {
	p := &panel{Head: titled(service), HeadColor: strong(service)}
	p.Rows = append(p.Rows, row{Name: caller(service), Bold: true, Note: "calls others from here", Color: strong(service)})
	everyone := false
	for _, c := range shop.Calls {
		if c.Callee != service || c.Caller == "edge" {
			continue
		}
		first := true
		for _, route := range c.Routes {
			if route == routeOfKeys || route == routeOfSessions {
				everyone = true
				continue
			}
			r := row{Name: "POST " + route}
			if first {
				r.Note, r.Mark = "", titled(c.Caller)
				first = false
			}
			p.Rows = append(p.Rows, r)
		}
	}
	if everyone {
		p.Rows = append(p.Rows, row{Mark: "All five", Name: "GET " + routeOfKeys}, row{Name: "POST " + routeOfSessions})
	}
	p.Rows = append(p.Rows, row{Mark: "Edge", Name: "/v1/**"})
	if slices.Contains(edgeRoutes(shop, service), "/.well-known/**") && service == "user" {
		p.Rows = append(p.Rows, row{Name: "/.well-known/**"})
	}
	p.fit(pens)
	return p
}

func caller(service string) string { return titled(service) + " asks" }

func edgeRoutes(shop *shop, service string) []string {
	for _, c := range shop.Calls {
		if c.Callee == service && c.Caller == "edge" {
			return c.Routes
		}
	}
	return nil
}

// placeCallees puts the services where their lines are short: what everybody asks in the middle. Each stands a little lower
// than its neighbour, so that two lines do not begin at one height.
func placeCallees(panels map[string]*panel) {
	centre := func(p *panel, x, y float64) { p.X, p.Y = float64(cell(x-p.W/2))*pitch, y }
	centre(panels["edge"], plainWidth/2, 11*pitch)
	for i, name := range []string{"cart", "order", "payment"} {
		centre(panels[name], plainWidth*(1+2*float64(i))/6, float64(34+2*i)*pitch)
	}
	for i, name := range []string{"product", "user", "notification"} {
		centre(panels[name], plainWidth*(1+2*float64(i))/6, float64(88+2*i)*pitch)
	}
}

func dependencyLinks(shop *shop, panels map[string]*panel) []link {
	var links []link
	for _, c := range shop.Calls {
		to, from := panels[c.Callee], panels[c.Caller]
		l := link{From: from, To: to, FromSides: "lr", ToSides: "lr", ToFoot: arrow, Line: stroke{Color: strong(c.Caller), Width: 1.9}}
		if c.Caller == "edge" {
			l.Net = "edge" // six of them, all alike: one tree
		}
		mark := titled(c.Caller)
		if own := slices.DeleteFunc(slices.Clone(c.Routes), func(r string) bool { return r == routeOfKeys || r == routeOfSessions }); len(own) > 0 {
			l.ToRow = slices.IndexFunc(to.Rows, func(r row) bool { return r.Mark == mark })
			links = append(links, l)
		}
		if slices.Contains(c.Routes, routeOfSessions) {
			l.ToRow = slices.IndexFunc(to.Rows, func(r row) bool { return strings.HasPrefix(r.Mark, "All") })
			l.Line.Dashed = true
			links = append(links, l)
		}
	}
	for _, l := range links {
		if l.ToRow < 0 {
			panic(fmt.Sprintf("no row of %s in %s", l.From.Head, l.To.Head)) // calleePanel makes one for each call
		}
	}
	return links
}
