package tests

import (
	"fmt"
	"maps"
	"net/http"

	"github.com/caravan-shop/caravan/tests/shop"
)

type object = map[string]any

// probes is the table of routes: how each is tried. A route that is not in it
// fails the matrix.
func probes() map[string]probe {
	all := map[string]probe{}
	for app, table := range map[string]map[string]probe{
		"user": userProbes(), "product": productProbes(), "cart": cartProbes(), "order": orderProbes(), "payment": paymentProbes(),
		"notification": {
			"listTemplates":   {},
			"previewTemplate": {params: given("welcome")},
		},
	} {
		for operation, p := range table {
			all[app+"."+operation] = p
		}
	}
	return all
}

func given(values ...string) func(*cast) []string {
	return func(*cast) []string { return values }
}

func sends(body any) func(*cast, *shop.Shopper, []string) any {
	return func(*cast, *shop.Shopper, []string) any { return body }
}

func userProbes() map[string]probe {
	all := map[string]probe{
		"registerUser": {ok: 201, body: func(*cast, *shop.Shopper, []string) any {
			return object{"email": shop.Unique("matrix") + "@example.com", "password": shop.Unique("pw"), "first_name": "Mat", "last_name": "Rix"}
		}},
		"getMe":    {},
		"updateMe": {body: sends(object{"locale": "en"})},
		"eraseMe":  {ok: 204, alone: true},
		"changePassword": {ok: 204, alone: true, body: func(_ *cast, as *shop.Shopper, _ []string) any {
			return object{"current_password": as.Password, "new_password": shop.Unique("another")}
		}},
		"changeEmail": {ok: 202, alone: true, body: func(_ *cast, as *shop.Shopper, _ []string) any {
			return object{"current_password": as.Password, "email": shop.Unique("another") + "@example.com"}
		}},
		"resendVerification": {ok: 202, alone: true},
		"exportMe":           {},
		"listUsers":          {},
		"getUser":            {params: (*cast).victim},
		"setRoles":           {params: (*cast).victim, body: sends(object{"roles": []string{"customer"}})},
		"endSessionsOfUser":  {ok: 204, params: (*cast).victim},
		"disableUser":        {params: (*cast).victim},
		"enableUser":         {params: (*cast).victim},
		"getKeys":            {},
	}
	maps.Copy(all, sessionProbes())
	maps.Copy(all, factorProbes())
	maps.Copy(all, addressProbes())
	return all
}

// factorProbes try nothing with the owner's own account, which others of the
// matrix sign in to: whoever is nobody would send what the owner does.
func factorProbes() map[string]probe {
	return map[string]probe{
		"beginTotp": {ok: 201, alone: true, body: func(_ *cast, as *shop.Shopper, _ []string) any {
			return object{"current_password": as.Password}
		}},
		"confirmTotp": {alone: true, body: func(c *cast, as *shop.Shopper, _ []string) any {
			if as == c.people[owner] {
				return object{"code": "000000"}
			}
			return object{"code": begins(c.t, c.ctx, as).code(c.t, 0)}
		}},
		"disableTotp": {ok: 204, alone: true, body: func(c *cast, as *shop.Shopper, _ []string) any {
			if as == c.people[owner] {
				return object{"current_password": as.Password, "code": "000000"}
			}
			return object{"current_password": as.Password, "code": enrols(c.t, c.ctx, as).Recovery[0]}
		}},
		"removeTotpOfUser": {ok: 204, params: (*cast).victim},
	}
}

func sessionProbes() map[string]probe {
	nonsense := sends(object{"token": "nonsense", "new_password": "a long enough passphrase"})
	return map[string]probe{
		"signIn": {ok: 201, body: func(_ *cast, as *shop.Shopper, _ []string) any {
			return object{"email": as.Email, "password": as.Password}
		}},
		"refreshSession": {body: func(c *cast, as *shop.Shopper, _ []string) any {
			return object{"refresh_token": c.again(as).RefreshToken}
		}},
		"listSessions":      {},
		"endAllSessions":    {ok: 204, alone: true},
		"endCurrentSession": {ok: 204, alone: true},
		"endSession":        {ok: 204, owned: true, fresh: true, params: func(c *cast) []string { return []string{c.again(c.people[owner]).SessionID} }},
		"requestPasswordReset": {ok: 202, body: func(*cast, *shop.Shopper, []string) any {
			return object{"email": shop.Unique("nobody") + "@example.com"}
		}},
		"confirmPasswordReset": {ok: 422, body: nonsense},
		"confirmEmail":         {ok: 422, body: sends(object{"token": "nonsense"})},
	}
}

func addressProbes() map[string]probe {
	return map[string]probe{
		"listAddresses":  {},
		"addAddress":     {ok: 201, body: sends(address())},
		"getAddress":     {owned: true, params: (*cast).addressID},
		"replaceAddress": {owned: true, params: (*cast).addressID, body: sends(address())},
		"deleteAddress":  {ok: 204, owned: true, fresh: true, params: (*cast).addressID},
	}
}

func address() object {
	return object{"recipient": "Mat Rix", "line1": "2 Matrix Row", "city": "London", "postal_code": "SW1A 1AA", "country": "GB"}
}

func productProbes() map[string]probe {
	review := sends(object{"rating": 4, "title": "Bright", "body": "It lights the whole porch."})
	all := map[string]probe{
		"listCategories": {},
		"createCategory": {ok: 201, body: func(*cast, *shop.Shopper, []string) any { return object{"name": shop.Unique("Matrix")} }},
		"getCategory":    {params: (*cast).category},
		"updateCategory": {params: (*cast).category, body: sends(object{"description": "Lamps of all sorts"})},
		"deleteCategory": {ok: 204, params: (*cast).category, fresh: true},
		"listProducts":   {},
		"createProduct": {ok: 201, body: func(c *cast, _ *shop.Shopper, _ []string) any {
			return object{"sku": shop.Unique("SKU"), "name": "Matrix lamp", "description": "A lamp.", "category_id": c.category()[0],
				"price": shop.Money{Amount: 100, Currency: "GBP"}, "tax_class": "standard", "status": "draft"}
		}},
		"getProductBySku": {params: func(c *cast) []string { return []string{c.stock.SKU} }},
		"importProducts": {body: func(*cast, *shop.Shopper, []string) any {
			return fmt.Sprintf(`{"sku":%q,"name":"Imported lamp","price":{"amount":100,"currency":"GBP"}}`+"\n", shop.Unique("SKU"))
		}},
		"exportProducts":   {},
		"getProduct":       {params: (*cast).stocked},
		"updateProduct":    {params: (*cast).spareProduct, fresh: true, body: sends(object{"description": "Another text."}), header: (*cast).productTag},
		"archiveProduct":   {ok: 204, params: (*cast).spareProduct, fresh: true},
		"getInventory":     {params: (*cast).stocked},
		"adjustInventory":  {ok: 201, params: (*cast).stocked, body: sends(object{"delta": 1, "reason": "found one"})},
		"addStockAlert":    {ok: 201, params: (*cast).soldOut},
		"removeStockAlert": {ok: 204, params: (*cast).soldOut},
		"search":           {},
		"suggest":          {query: func(*cast, []string) string { return "q=lantern" }},
	}
	maps.Copy(all, map[string]probe{
		"listReviews":    {params: (*cast).stocked},
		"createReview":   {ok: 201, params: (*cast).stocked, body: review},
		"updateReview":   {owned: true, params: (*cast).review, body: sends(object{"rating": 2})},
		"deleteReview":   {ok: 204, owned: true, seen: []who{staff, admin}, fresh: true, params: (*cast).review},
		"moderateReview": {params: (*cast).review, body: sends(object{"status": "rejected"})},
	})
	return all
}

func cartProbes() map[string]probe {
	noCart := map[who]int{anonymous: http.StatusUnauthorized}
	return map[string]probe{
		"getCart":   {want: noCart},
		"clearCart": {ok: 204, want: noCart},
		"addItem": {want: noCart, body: func(c *cast, _ *shop.Shopper, _ []string) any {
			return object{"product_id": c.stock.ID, "quantity": 1}
		}},
		"putItem":       {want: noCart, params: (*cast).stocked, body: sends(object{"quantity": 2})},
		"removeItem":    {ok: 204, want: noCart, params: (*cast).stocked},
		"openGuestCart": {ok: 201},
		"mergeCart": {body: func(c *cast, _ *shop.Shopper, _ []string) any {
			return object{"cart_token": c.guestCart()}
		}},
		"listExpiringCarts": {},
	}
}

func orderProbes() map[string]probe {
	crew := []who{staff, admin}
	return map[string]probe{
		"createQuote": {body: func(c *cast, as *shop.Shopper, _ []string) any {
			c.must(as.AddToCart(c.ctx, c.stock.ID, 1))
			return object{"shipping_address_id": as.AddressID}
		}},
		"placeOrder": {ok: 201, body: func(c *cast, as *shop.Shopper, _ []string) any {
			c.must(as.AddToCart(c.ctx, c.stock.ID, 1))
			totals, err := as.Quote(c.ctx)
			c.must(err)
			return as.OrderBody(visa, totals.Total)
		}},
		"listOrders":      {},
		"getOrder":        {owned: true, seen: crew, params: (*cast).orderID},
		"getOrderHistory": {owned: true, seen: crew, params: (*cast).orderID},
		"cancelOrder":     {owned: true, seen: crew, params: (*cast).newOrder, fresh: true},
		"shipOrder":       {params: (*cast).reservedOrder, fresh: true, body: sends(object{"carrier": "Royal Mail", "tracking_number": "RM1"})},
		"deliverOrder":    {params: (*cast).shippedOrder, fresh: true},
	}
}

func paymentProbes() map[string]probe {
	crew := []who{staff, admin}
	return map[string]probe{
		"listPaymentMethods":       {},
		"listSavedPaymentMethods":  {},
		"savePaymentMethod":        {ok: 201, body: sends(object{"token": visa})},
		"getSavedPaymentMethod":    {owned: true, params: (*cast).savedCard},
		"deleteSavedPaymentMethod": {ok: 204, owned: true, fresh: true, params: (*cast).savedCard},
		"setDefaultPaymentMethod":  {owned: true, params: (*cast).savedCard},
		"listTransactions":         {query: func(c *cast, _ []string) string { return "order_id=" + c.order.ID }},
		"getTransaction":           {owned: true, seen: crew, params: (*cast).transaction},
		"createPaymentAttempt": {ok: 201, owned: true, params: (*cast).declinedOrder,
			body: sends(object{"payment": object{"method": "card", "token": declined}})},
		"listRefunds": {},
		"createRefund": {ok: 201, body: func(c *cast, _ *shop.Shopper, _ []string) any {
			return object{"order_id": c.order.ID, "amount": shop.Money{Amount: 1, Currency: "GBP"}, "reason": "a scratch"}
		}},
		"getRefund":            {params: (*cast).refund},
		"receiveStripeWebhook": {ok: http.StatusBadRequest, body: sends(object{"id": "evt_unsigned"})},
	}
}
