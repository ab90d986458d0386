package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caravan-shop/caravan/tests/invariants"
	"github.com/caravan-shop/caravan/tests/shop"
)

// check gives a line for each property that was looked at: the contract's
// invariants, and what customers were promised.
func (r *run) check(ctx context.Context) ([]Line, error) {
	stack, err := shop.Load(r.StackFile)
	if err != nil {
		return nil, err
	}
	r.stack = stack
	report, err := invariants.Check(ctx, stack, invariants.Acknowledged(slices.Collect(maps.Keys(r.book.orders))...))
	if err != nil {
		return nil, err
	}
	var lines []Line
	for _, rule := range report.Rules {
		lines = append(lines, Line{Name: fmt.Sprintf("%d %s", rule.Number, rule.Name), Checked: rule.Checked, Violated: rule.Violations})
	}
	dead := Line{Name: "5 no new dead letter: nobody has sent anything that can never succeed", Checked: 1}
	if n := report.DeadLetters - r.dead; n > 0 {
		dead.Violated = []string{fmt.Sprintf("%d records in the dead-letter topics", n)}
	}
	mails, err := r.mails(ctx)
	if err != nil {
		return lines, err
	}
	promises, err := r.promises(ctx)
	return append(append(append(lines, dead), mails...), promises...), err
}

// mails holds what was sent to invariant 7. A kill between sending and marking
// may repeat a mail, but then the copy is the same.
func (r *run) mails(ctx context.Context) ([]Line, error) {
	all, err := r.stack.AllMails(ctx)
	if err != nil {
		return nil, err
	}
	same := Line{Name: "7 a mail that came twice is the same to the byte, to the same person"}
	first := map[string]shop.Mail{}
	byNumber := map[string][]shop.Mail{}
	for _, m := range all {
		before, again := first[m.MessageID]
		first[m.MessageID] = m
		same.Checked++
		if again && (before.Text != m.Text || before.HTML != m.HTML || before.Subject != m.Subject || before.To[0] != m.To[0]) {
			same.Violated = append(same.Violated, fmt.Sprintf("%s: %q", m.MessageID, m.Subject))
		}
		for _, word := range strings.Fields(m.Text) {
			if word = strings.Trim(word, ".,:()"); orderNumber(word) {
				byNumber[word] = append(byNumber[word], m)
			}
		}
	}
	right := Line{Name: "7 mails about an order go to its customer, the first one always"}
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	for id, t := range r.book.orders {
		right.Checked++
		mails := byNumber[t.Number]
		if len(mails) == 0 && !r.book.erased[t.UserID] {
			right.Violated = append(right.Violated, fmt.Sprintf("order %s (%s): no mail at all", id, t.Number))
		}
		for _, m := range mails {
			if m.To[0].Address != t.Email {
				right.Violated = append(right.Violated, fmt.Sprintf("order %s: a mail went to another customer", id))
			}
		}
	}
	return []Line{same, right}, nil
}

// orderNumber knows the shape 7KQX-M2VT-9R6.
func orderNumber(word string) bool {
	parts := strings.Split(word, "-")
	return len(parts) == 3 && len(parts[0]) == 4 && len(parts[1]) == 4 && len(parts[2]) == 3
}

func hasMail(mails []shop.Mail, number string) bool {
	for _, m := range mails {
		if strings.Contains(m.Subject, number) || strings.Contains(m.Text, number) {
			return true
		}
	}
	return false
}
