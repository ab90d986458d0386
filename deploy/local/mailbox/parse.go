package main

import (
	"bytes"
	"strings"
	"time"

	"github.com/jhillyerd/enmime/v2"
)

// address is one mailbox with its display name, which may be empty.
type address struct {
	Address string `json:"address"`
	Name    string `json:"name"`
}

// attachment describes a part that is not shown as text.
type attachment struct {
	FileName    string `json:"fileName"`
	ContentType string `json:"contentType"`
	Length      int    `json:"length"`
}

// mail is one mail as the API shows it. Header names are in lower case and
// repeated headers are joined by line breaks.
type mail struct {
	ID          string            `json:"id"`
	Subject     string            `json:"subject"`
	From        []address         `json:"from"`
	To          []address         `json:"to"`
	Cc          []address         `json:"cc"`
	Recipients  []string          `json:"recipients"`
	Date        string            `json:"date"`
	Time        time.Time         `json:"time"`
	MessageID   string            `json:"messageId"`
	Text        string            `json:"text"`
	HTML        string            `json:"html"`
	Headers     map[string]string `json:"headers"`
	Attachments []attachment      `json:"attachments"`
	Size        int               `json:"size"`
}

// summarize reads the headers alone, which is all that a listing needs.
func summarize(id string, received time.Time, raw []byte) entry {
	e := entry{ID: id, Received: received, From: []address{}, To: []address{}, Recipients: []string{}, Size: len(raw)}
	head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	h, err := enmime.DecodeHeaders(append(bytes.Clone(head), "\r\n\r\n"...), "Message-Id", "Delivered-To")
	if err != nil {
		return e // what cannot be read is listed all the same, without a subject
	}
	e.Subject = h.Get("Subject")
	e.From = addresses(h["From"])
	e.To = addresses(h["To"])
	e.Recipients = append(e.Recipients, h["Delivered-To"]...)
	e.MessageID = bareID(h.Get("Message-Id"))
	return e
}

// addresses returns the mailboxes in the values of one header, never nil.
func addresses(values []string) []address {
	out := []address{}
	list, err := enmime.ParseAddressList(strings.Join(values, ", "))
	if err != nil {
		return out
	}
	for _, a := range list {
		out = append(out, address{Address: a.Address, Name: a.Name})
	}
	return out
}

// bareID takes a Message-ID out of its angle brackets.
func bareID(id string) string {
	return strings.Trim(strings.TrimSpace(id), "<>")
}

// parse reads the whole mail. Broken MIME yields what could be read of it.
func parse(e entry, raw []byte) *mail {
	m := &mail{
		ID: e.ID, Subject: e.Subject, From: e.From, To: e.To, Recipients: e.Recipients,
		Time: e.Received.UTC(), MessageID: e.MessageID, Headers: map[string]string{}, Attachments: []attachment{}, Size: e.Size,
	}
	// Without a text part the text stays empty: making one up would hide that it is missing.
	parser := enmime.NewParser(enmime.DisableTextConversion(true), enmime.SkipMalformedParts(true))
	env, err := parser.ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		m.Cc, m.Text = []address{}, string(raw)
		return m
	}
	m.Text, m.HTML = env.Text, env.HTML
	for _, key := range env.GetHeaderKeys() {
		m.Headers[strings.ToLower(key)] = strings.Join(env.GetHeaderValues(key), "\n")
	}
	m.Cc = addresses(env.GetHeaderValues("Cc"))
	m.Date = m.Headers["date"]
	for _, parts := range [][]*enmime.Part{env.Attachments, env.Inlines, env.OtherParts} {
		for _, p := range parts {
			m.Attachments = append(m.Attachments, attachment{FileName: p.FileName, ContentType: p.ContentType, Length: len(p.Content)})
		}
	}
	return m
}
