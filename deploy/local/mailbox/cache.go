package main

import "container/list"

// cacheBytes bounds the parsed mails that are kept in memory, counted by the size
// of their files.
const cacheBytes = 16 << 20

// bodyCache keeps the mails that were read last, so that a test which polls the
// listing does not have every mail parsed again each time. The store's lock guards it.
type bodyCache struct {
	order *list.List // of *cached, most recently read first
	byID  map[string]*list.Element
	bytes int
}

type cached struct {
	id   string
	mail *mail
	size int
}

func newBodyCache() bodyCache {
	return bodyCache{order: list.New(), byID: map[string]*list.Element{}}
}

// get returns nil for a mail that is not in the cache.
func (c *bodyCache) get(id string) *mail {
	el, ok := c.byID[id]
	if !ok {
		return nil
	}
	c.order.MoveToFront(el)
	return el.Value.(*cached).mail
}

func (c *bodyCache) put(id string, m *mail, size int) {
	if _, ok := c.byID[id]; ok || size > cacheBytes/4 {
		return
	}
	c.byID[id] = c.order.PushFront(&cached{id: id, mail: m, size: size})
	c.bytes += size
	for c.bytes > cacheBytes {
		c.drop(c.order.Back().Value.(*cached).id)
	}
}

func (c *bodyCache) drop(id string) {
	el, ok := c.byID[id]
	if !ok {
		return
	}
	c.bytes -= c.order.Remove(el).(*cached).size
	delete(c.byID, id)
}
