package breached

import "testing"

func TestHas(t *testing.T) {
	l, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(l.known) < 8000 {
		t.Errorf("list: got %d passwords", len(l.known))
	}
	for password, want := range map[string]bool{"password": true, "PassWord": true, "12345678": true, "qwertyuiop": true, "correct horse battery": false, "": false} {
		if got := l.Has(password); got != want {
			t.Errorf("%q: got %v, want %v", password, got, want)
		}
	}
}
