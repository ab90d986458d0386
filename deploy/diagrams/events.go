package main

import "fmt"

// eventFlow draws who sends what to whom over Kafka.
func eventFlow(shop *shop, pens *pens) (*sheet, error) {
	s := newSheet("kafka-event-flow", "Kafka Event Flow", plainWidth, plainHeight, pens)
	s.heading("One topic a type of event, six partitions each; a key keeps its order. Delivery at least once, effect once: outbox at the sender, inbox at the receiver.")
	senders, receivers := eventPanels(shop, pens)
	stack(senders, 6*pitch, 7*pitch, 14*pitch)
	stack(receivers, plainWidth-40*pitch, pitch, 14*pitch)
	s.text(senders[0].X, 10*pitch, "Senders and their topics", 16, true, left, ink)
	s.text(receivers[0].X, 10*pitch, "Receivers", 16, true, left, ink)
	g := newGrid(s.Width, s.Height)
	g.block(0, 0, s.Width, 12*pitch, 0, 0)
	g.block(0, 0, senders[0].X+senders[0].W-pitch, s.Height, 0, 0)
	g.block(receivers[0].X+pitch, 0, s.Width, s.Height, 0, 0) // lines stay between the two columns
	byName := map[string]*panel{}
	for _, p := range append(senders, receivers...) {
		s.box(p.X-2*pitch, p.Y-2*pitch, p.W+4*pitch, p.height()+4*pitch, colors()[serviceOf(p.Head)], stroke{Color: strong(serviceOf(p.Head)), Width: 1.6})
		p.draw(s)
		g.block(p.X, p.Y, p.W, p.height(), stub, 2)
	}
	for _, p := range senders {
		byName[serviceOf(p.Head)] = p
	}
	var links []link
	for _, p := range receivers {
		app := serviceOf(p.Head)
		for i, r := range p.Rows {
			for _, t := range shop.Topics {
				if t.Name != r.Name {
					continue
				}
				from := byName[t.Producer]
				links = append(links, link{From: from, To: p, FromRow: from.find(t.Name), ToRow: i, FromSides: "r", ToSides: "l", ToFoot: arrow,
					Line: stroke{Color: strong(app), Width: 1.8}})
			}
		}
	}
	if err := drawLinks(s, g, links); err != nil {
		return nil, err
	}
	s.caption("Figure 4. Topics and senders from services/events/asyncapi.yaml, receivers from dapr/subscriptions. A line has its receiver's color. " +
		"What can never succeed rests in the receiver's dead-letter topic; everything else is tried again until it succeeds.")
	return s, nil
}

func serviceOf(head string) string {
	for _, service := range services() {
		if titled(service) == head {
			return service
		}
	}
	panic(fmt.Sprintf("no service is titled %q", head)) // heads come from titled
}

func eventPanels(shop *shop, pens *pens) (senders, receivers []*panel) {
	for _, service := range []string{"user", "order", "payment", "product"} {
		p := &panel{Head: titled(service), HeadColor: strong(service)}
		for _, t := range shop.Topics {
			if t.Producer == service {
				p.Rows = append(p.Rows, row{Name: t.Name, Note: t.Meaning})
			}
		}
		p.fit(pens)
		senders = append(senders, p)
	}
	for _, service := range []string{"notification", "payment", "order", "product", "cart", "user"} {
		p := &panel{Head: titled(service), HeadColor: strong(service)}
		for _, t := range shop.Topics {
			for _, name := range shop.Listens[service] {
				if name == t.Name {
					p.Rows = append(p.Rows, row{Name: name})
				}
			}
		}
		if len(p.Rows) == 0 {
			p.Rows = append(p.Rows, row{Name: "listens to nothing", Color: grey})
		} else {
			p.Rows = append(p.Rows, row{Name: "dead-letter." + service, Note: "what can never succeed", Color: grey})
		}
		p.fit(pens)
		receivers = append(receivers, p)
	}
	return senders, receivers
}

// stack puts boxes of one width below each other.
func stack(panels []*panel, x, gap, y float64) {
	widest := 0.0
	for _, p := range panels {
		widest = max(widest, p.W)
	}
	for _, p := range panels {
		p.W = widest
		p.X, p.Y = x, y
		y += p.height() + 4*pitch + gap
	}
}
