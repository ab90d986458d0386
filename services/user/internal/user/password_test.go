package user

import "testing"

func TestGuessable(t *testing.T) {
	u := User{Email: Email{Normal: "ada.king@lovelace.example"}, FirstName: "Ada", LastName: "Lovelace"}
	for password, want := range map[string]bool{
		"ada.king@lovelace.example": true,
		"AdaLovelace1815":           true,
		"1815lovelace!":             true,
		"Caravan2026":               true,
		"caravan-ada-1":             true,
		"ＬＯＶＥＬＡＣＥ":                  true,
		"lovelace at sea":           false,
		"caravans cross":            false,
		"81749263501":               false,
		"correct horse battery":     false,
	} {
		if got := guessable(password, u); got != want {
			t.Errorf("guessable(%q): got %v, want %v", password, got, want)
		}
	}
}
