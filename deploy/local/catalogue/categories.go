package catalogue

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rules are tried in order; the first whose word is in the description decides.
// Seasons come first, then what a thing is, then what it is made to look like.
var rules = []struct {
	path  []string
	words string
}{
	{[]string{"Seasonal", "Christmas"}, "christmas xmas advent snowflake snowman reindeer santa bauble nativity snowmen stocking yuletide noel snow"},
	{[]string{"Seasonal", "Easter"}, "easter"},
	{[]string{"Seasonal", "Valentine"}, "valentine valentines"},
	{[]string{"Seasonal", "Halloween"}, "halloween"},
	{[]string{"Jewellery and accessories", "Necklaces"}, "necklace necklac pendant"},
	{[]string{"Jewellery and accessories", "Bracelets"}, "bracelet bangle bracel"},
	{[]string{"Jewellery and accessories", "Earrings"}, "earrings earring earings"},
	{[]string{"Jewellery and accessories", "Hair"}, "hair hairclip hairband hairslide hairclips headband"},
	{[]string{"Jewellery and accessories", "Rings, brooches and charms"}, "brooch charm charms ring locket tiara keyring keyrings"},
	{[]string{"Bags and purses", "Bags"}, "bag bags handbag shopper holdall rucksack backpack satchel suitcase"},
	{[]string{"Bags and purses", "Purses and wallets"}, "purse wallet"},
	{[]string{"Kitchen and dining", "Lunch and picnic"}, "lunch picnic flask hamper snack"},
	{[]string{"Kitchen and dining", "Mugs, cups and saucers"}, "mug mugs cup cups saucer teacup beaker"},
	{[]string{"Kitchen and dining", "Tea and coffee"}, "teapot tea coffee cafetiere sugar cosy caddy"},
	{[]string{"Kitchen and dining", "Baking"}, "cake cakes baking cakestand cakestands cutter cutters cases measuring bake mould cupcake muffin whisk"},
	{[]string{"Kitchen and dining", "Plates and bowls"}, "plate plates bowl bowls dish dishes platter ramekin"},
	{[]string{"Kitchen and dining", "Glasses, jars and bottles"}, "jug jar jars bottle bottles goblet tumbler decanter glasses wine"},
	{[]string{"Kitchen and dining", "Cutlery"}, "cutlery spoon spoons fork knife chopsticks"},
	{[]string{"Kitchen and dining", "Kitchen textiles"}, "apron glove gloves towel towels tablecloth napkins napkin placemat placemats coaster coasters doilies doily"},
	{[]string{"Kitchen and dining", "Kitchen helpers"}, "kitchen recipe egg colander timer scales fridge pantry jam butter bread scale"},
	{[]string{"Candles and lights", "Candles"}, "candle candles incense candleholder scented fragranced oil"},
	{[]string{"Candles and lights", "T-light holders"}, "light-holder t-light t-lights tlight tealight"},
	{[]string{"Candles and lights", "Lanterns"}, "lantern lanterns"},
	{[]string{"Candles and lights", "Lamps and string lights"}, "lamp lights light lampshade chandelier torch shade"},
	{[]string{"Paper and cards", "Cards"}, "card cards postcard postcards"},
	{[]string{"Paper and cards", "Gift wrap"}, "wrap ribbon ribbons tape gift-tape tags tag envelope tissue bow"},
	{[]string{"Paper and cards", "Stationery"}, "notebook notebooks pen pens pencil pencils sticker stickers eraser erasers rubber journal paper stationery calculator stamp stamps ruler sharpener diary sketchbook chalk memo clipboard letters passport magnets magnet book"},
	{[]string{"Party", "Bunting and garlands"}, "bunting garland garlands"},
	{[]string{"Party", "Party things"}, "party balloon balloons birthday straws confetti invites"},
	{[]string{"Toys and games", "Games and puzzles"}, "game games jigsaw puzzle dominoes snap skittles ludo dice playing quoits"},
	{[]string{"Toys and games", "Toys"}, "toy toys doll dolls dollcraft soldier spinning skipping rope glider inflatable marbles harmonica whistle slinky yo-yo puppet puppets train circus robot bubbles feltcraft kit craft sewing"},
	{[]string{"Children", "For the little ones"}, "baby bib childrens childs children nursery kids"},
	{[]string{"Garden", "Garden"}, "garden parasol planter planters herb gardeners gardening watering seed seeds plant pots flowerpot hammock bird feeder thermometer trowel birdhouse windmill secateurs"},
	{[]string{"Home", "Clocks"}, "clock clocks alarm"},
	{[]string{"Home", "Frames and mirrors"}, "frame frames mirror mirrors photo picture"},
	{[]string{"Home", "Signs and wall art"}, "sign signs wall canvas art poster plaque print"},
	{[]string{"Home", "Cushions and textiles"}, "cushion cushions throw blanket quilt cover curtain pillow rug"},
	{[]string{"Home", "Doors and hooks"}, "door doormat doorstop hook hooks hanger hangers knob knobs drawer rack"},
	{[]string{"Home", "Storage"}, "box boxes tin tins basket baskets storage trunk chest cabinet shelf bin holder stand tray trays"},
	{[]string{"Home", "Bathroom"}, "bathroom bath soap toothbrush sponge toilet wash"},
	{[]string{"Home", "Warm and dry"}, "water hottie hand-warmer warmer umbrella umbrellas slippers heat"},
	{[]string{"Home", "Vases and flowers"}, "vase vases flower flowers rose tulip daisy blossom"},
	{[]string{"Home", "Decorations"}, "decoration decorations ornament heart hearts star wreath hanging mobile bell bells feather tree cherub angel figurine decorative"},
}

var (
	descriptionWords = regexp.MustCompile(`[a-z]+(?:-[a-z]+)*`)
	setSizes         = []*regexp.Regexp{
		regexp.MustCompile(`(?i)\b(?:set|pack|pk|box|s)\s*(?:of|/)?\s*(\d{1,3})\b`),
		regexp.MustCompile(`(?i)\bpack/(\d{1,3})\b`),
		regexp.MustCompile(`(?i)^(\d{1,3})\s+(?:piece|pc|assorted|pack)\b`),
	}
)

func wordsOf(description string) []string {
	whole := descriptionWords.FindAllString(strings.ToLower(description), -1)
	var out []string
	for _, w := range whole {
		out = append(out, w)
		if strings.Contains(w, "-") {
			out = append(out, strings.Split(w, "-")...)
		}
	}
	return out
}

func categoryOf(description string) []string {
	words := wordsOf(description)
	for _, rule := range rules {
		for _, w := range strings.Fields(rule.words) {
			if slices.Contains(words, w) {
				return rule.path
			}
		}
	}
	return []string{"Gifts", "More gifts"}
}

// traits are attributes that a word of the description gives away, the first
// word that fits.
var traits = []struct{ name, values string }{
	{"colour", "black white red blue pink green ivory cream purple yellow orange brown grey silver gold turquoise lilac natural"},
	{"material", "glass ceramic porcelain enamel metal zinc wooden wood wicker felt paper acrylic crystal cotton leather bamboo shell knitted plastic"},
	{"pattern", "retrospot polkadot paisley gingham floral stripe striped spotty baroque heart hearts strawberry union spaceboy skull butterfly"},
}

// sameTrait folds spellings of one value.
func sameTrait(value string) string {
	switch value {
	case "wooden":
		return "wood"
	case "hearts":
		return "heart"
	case "striped":
		return "stripe"
	case "union":
		return "union jack"
	}
	return value
}

func attributesOf(description string) map[string]any {
	attributes, words := map[string]any{}, wordsOf(description)
	for _, t := range traits {
		for _, w := range words {
			if slices.Contains(strings.Fields(t.values), w) {
				attributes[t.name] = sameTrait(w)
				break
			}
		}
	}
	for _, size := range setSizes {
		if m := size.FindStringSubmatch(description); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil && n > 1 {
				attributes["set_size"] = n
				break
			}
		}
	}
	if len(attributes) == 0 {
		return nil
	}
	return attributes
}
