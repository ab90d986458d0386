package httpapi_test

import (
	"testing"

	"github.com/google/uuid"
)

// adjust brings units to the shelf or takes them away.
func (c client) adjust(path, delta, token string) {
	c.t.Helper()
	c.want(c.do("POST", path+"/inventory/adjustments", `{"delta":`+delta+`,"reason":"test"}`, "Authorization", token), 201, "")
}

func (c client) newProduct(token, sku string) string {
	c.t.Helper()
	category := c.want(c.do("POST", "/v1/categories", `{"name":"`+sku+`"}`, "Authorization", token), 201, "").body["id"].(string)
	made := c.want(c.do("POST", "/v1/products", `{"sku":"`+sku+`","name":"Mug","category_id":"`+category+`","price":{"amount":250,"currency":"GBP"}}`,
		"Authorization", token), 201, "")
	return "/v1/products/" + made.body["id"].(string)
}

func TestStockAlerts(t *testing.T) {
	c := serve(t)
	staff, ann := "Bearer staff:"+newID().String(), "Bearer customer:"+newID().String()
	path := c.newProduct(staff, "ALERT")
	c.want(c.do("POST", path+"/stock-alerts", ""), 401, "token_missing")
	c.want(c.do("POST", "/v1/products/"+uuid.NewString()+"/stock-alerts", "", "Authorization", ann), 404, "product_not_found")
	first := c.want(c.do("POST", path+"/stock-alerts", "", "Authorization", ann), 201, "")
	again := c.want(c.do("POST", path+"/stock-alerts", "", "Authorization", ann), 200, "")
	if first.raw != again.raw {
		t.Errorf("asked again: %s, want %s", again.raw, first.raw)
	}
	c.want(c.do("DELETE", path+"/stock-alerts", "", "Authorization", ann), 204, "")
	c.want(c.do("DELETE", path+"/stock-alerts", "", "Authorization", ann), 204, "")
	c.adjust(path, "3", staff)
	c.want(c.do("POST", path+"/stock-alerts", "", "Authorization", ann), 409, "in_stock")
}

// A tag stands for all that is shown, and If-Match for what staff changed.
func TestTagsFollowWhatIsShown(t *testing.T) {
	c := serve(t)
	staff, ann := "Bearer staff:"+newID().String(), "Bearer customer:"+newID().String()
	path := c.newProduct(staff, "TAG")
	tag := c.do("GET", path, "").header.Get("ETag")
	c.want(c.do("GET", path, "", "If-None-Match", tag), 304, "")
	c.adjust(path, "3", staff)
	stocked := c.want(c.do("GET", path, "", "If-None-Match", tag), 200, "")
	if stocked.body["in_stock"] != true {
		t.Errorf("in_stock %v after a delivery", stocked.body["in_stock"])
	}
	c.want(c.do("POST", path+"/reviews", `{"rating":4}`, "Authorization", ann), 201, "")
	rated := c.want(c.do("GET", path, "", "If-None-Match", stocked.header.Get("ETag")), 200, "")
	c.want(c.do("GET", path, "", "If-None-Match", rated.header.Get("ETag")), 304, "")
	// The version has not moved: each of these tags may still be changed from.
	c.want(c.do("PATCH", path, `{"name":"Cup"}`, "Authorization", staff, "If-Match", `"9.1", `+tag), 200, "")
	c.want(c.do("PATCH", path, `{"name":"Jug"}`, "Authorization", staff, "If-Match", rated.header.Get("ETag")), 412, "precondition_failed")
	c.want(c.do("PATCH", path, `{"name":"Jug"}`, "Authorization", staff, "If-Match", `W/"2"`), 412, "precondition_failed")
	c.want(c.do("PATCH", path, `{"name":"Jug"}`, "Authorization", staff, "If-Match", `"2"`), 200, "")
}

func TestCategoryTagsFollowTheirChildren(t *testing.T) {
	c := serve(t)
	staff := "Bearer staff:" + newID().String()
	id := c.want(c.do("POST", "/v1/categories", `{"name":"Home"}`, "Authorization", staff), 201, "").body["id"].(string)
	tag := c.do("GET", "/v1/categories/"+id, "").header.Get("ETag")
	c.want(c.do("GET", "/v1/categories/"+id, "", "If-None-Match", tag), 304, "")
	c.want(c.do("POST", "/v1/categories", `{"name":"Lights","parent_id":"`+id+`"}`, "Authorization", staff), 201, "")
	c.want(c.do("GET", "/v1/categories/"+id, "", "If-None-Match", tag), 200, "")
	c.want(c.do("PATCH", "/v1/categories/"+id, `{"name":"House"}`, "Authorization", staff, "If-Match", tag), 200, "")
}
