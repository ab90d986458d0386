package main

import (
	"fmt"
	"slices"
)

// databases draws where each service keeps its data, and with which rights.
func databases(shop *shop, pens *pens) (*sheet, error) {
	s := newSheet("database-distribution", "Distribution of Databases", storesWidth, storesHeight, pens)
	s.heading("Each service owns its schema alone: no other service connects to its database, and none of its roles may open another's.")
	columns := []string{"order", "payment", "user", "product", "cart", "notification"}
	sets := map[string]*storeSet{}
	width := 0.0
	for _, service := range columns {
		sets[service] = newStoreSet(shop, service, pens)
		for _, p := range sets[service].panels() {
			width = max(width, p.W)
		}
	}
	step := float64(cell((storesWidth-2*margin-width-6*pitch)/float64(len(columns)-1))) * pitch
	bottom := 0.0
	for i, service := range columns {
		bottom = max(bottom, sets[service].place(margin+2*pitch+float64(i)*step, width))
	}
	redis := sets["product"].redis
	for _, set := range sets {
		if set.redis != nil {
			set.redis.Y = bottom + bandGap
		}
		if set.elastic != nil {
			set.elastic.Y = redis.Y + redis.height() + bandGap
		}
	}
	bands(s, sets, width, bottom)
	g := newGrid(s.Width, s.Height)
	var links []link
	for _, service := range columns {
		set := sets[service]
		s.box(set.service.X-pitch, set.service.Y-pitch, width+2*pitch, set.service.height()+2*pitch, colors()[service], stroke{Color: strong(service), Width: 1.6})
		for _, p := range set.panels() {
			p.draw(s)
			g.block(p.X, p.Y, p.W, p.height(), 1, 1)
		}
		links = append(links, set.links()...)
	}
	if err := drawLinks(s, g, links); err != nil {
		return nil, err
	}
	s.caption("Figure 3. Tables with their number of columns, as the migrations make them. The owner's role migrates, the app's reads and writes rows, the third only reads.")
	return s, nil
}

// Where the services and the first band of servers begin, and what is between bands.
const (
	serviceTop  = 16 * pitch
	documentTop = 38 * pitch
	bandGap     = 20 * pitch
)

// storeSet is a service with its stores below it.
type storeSet struct {
	name                              string
	service, database, redis, elastic *panel
}

func newStoreSet(shop *shop, service string, pens *pens) *storeSet {
	color := strong(service)
	set := &storeSet{name: service, service: &panel{Head: titled(service), HeadColor: color}}
	use := func(server, what string) { set.service.Rows = append(set.service.Rows, row{Mark: server, Name: what}) }
	switch {
	case slices.Contains(relational(), service):
		use("PostgreSQL", service+"_service_db")
		set.database = &panel{Head: service + "_service_db", HeadColor: color}
		for _, role := range []string{"owner", "app", "ro"} {
			set.database.Rows = append(set.database.Rows, row{Mark: "Role", Name: service + "_" + role})
		}
	case service == "cart":
		use("MongoDB", "cart_service_db")
		set.database = &panel{Head: "cart_service_db", HeadColor: color, Rows: []row{{Mark: "Dapr", Name: "component carts"}, {Mark: "Index", Name: "time to live"}}}
	}
	if set.database != nil {
		set.listTables(shop)
	}
	if len(keys()[service]) > 0 {
		use("Redis", "keys")
		set.redis = &panel{Head: titled(service), HeadColor: color}
		for _, k := range keys()[service] {
			set.redis.Rows = append(set.redis.Rows, row{Name: k.Pattern}, row{Name: k.Meaning, Color: grey})
		}
	}
	if service == "product" {
		use("Elasticsearch", "products")
		set.elastic = &panel{Head: searchIndex().Pattern, HeadColor: color, Rows: []row{{Name: searchIndex().Meaning, Color: grey}}}
	}
	for _, p := range set.panels() {
		p.fit(pens)
	}
	return set
}

func (set *storeSet) listTables(shop *shop) {
	add := func(t table, color string) {
		set.database.Rows = append(set.database.Rows, row{Name: t.Name, Note: fmt.Sprint(len(t.Columns)), Color: color})
	}
	for _, name := range slices.Concat(business()[set.name]...) {
		if t, err := shop.table(set.name, name); err == nil {
			add(t, "")
		}
	}
	for _, t := range shop.technical(set.name) {
		add(t, grey)
	}
}

func (set *storeSet) panels() []*panel {
	return slices.DeleteFunc([]*panel{set.service, set.database, set.redis, set.elastic}, func(p *panel) bool { return p == nil })
}

// place puts the set into its column and gives where its database ends.
func (set *storeSet) place(x, width float64) float64 {
	for _, p := range set.panels() {
		p.X, p.W = float64(cell(x))*pitch, width
	}
	set.service.Y = serviceTop
	if set.database == nil {
		return 0
	}
	set.database.Y = documentTop
	return documentTop + set.database.height()
}

// links lead from a service's rows to its stores, in the gutter at its right.
func (set *storeSet) links() []link {
	var links []link
	stores := []*panel{set.database, set.redis, set.elastic}
	for _, store := range stores {
		if store != nil {
			links = append(links, link{From: set.service, To: store, FromRow: len(links), ToRow: 0, FromSides: "r", ToSides: "r", ToFoot: arrow,
				Line: stroke{Color: strong(set.name), Width: 1.9}})
		}
	}
	return links
}

// bands draws the servers behind the databases, keys and indexes that are in them.
func bands(s *sheet, sets map[string]*storeSet, width, databases float64) {
	band := func(from, to, title string, top, bottom float64) {
		x := sets[from].service.X - pitch
		w := sets[to].service.X + width + pitch - x
		s.box(x, top-4*pitch, w, bottom-top+6*pitch, "#F4F6F7", stroke{Color: hairline, Width: 1.4})
		s.text(x+12, top-4*pitch+24, title, 16, true, left, ink)
	}
	band("order", "product", "PostgreSQL 16", documentTop, databases)
	band("cart", "cart", "MongoDB 7", documentTop, databases)
	redis := sets["user"].redis
	band("user", "notification", "Redis 7: copies and claims", redis.Y, redis.Y+redis.height())
	elastic := sets["product"].elastic
	band("product", "product", "Elasticsearch 8", elastic.Y, elastic.Y+elastic.height())
}
