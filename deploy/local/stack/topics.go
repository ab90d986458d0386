package stack

import "slices"

// The topics that events travel on; services/events holds their types.
func topics() []string {
	return []string{
		"user.registered", "user.updated", "user.deleted", "password.reset", "email.verification", "email.changed",
		"product.created", "product.updated", "product.out_of_stock", "product.back_in_stock",
		"inventory.reserved", "inventory.rejected",
		"order.created", "order.confirmed", "order.shipped", "order.delivered", "order.cancelled",
		"payment.initiated", "payment.requires_action", "payment.success", "payment.failed", "payment.refunded",
	}
}

// allTopics adds a dead-letter topic for each service that consumes.
func allTopics() []string {
	list := slices.Clone(topics())
	for _, service := range Services() {
		list = append(list, "dead-letter."+service)
	}
	return list
}
