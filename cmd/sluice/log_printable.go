package main

import (
	"reflect"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// printable makes every text of a record one that a terminal shows and does not
// obey, in place. A log may come from anywhere, so that not even what the service
// itself writes as words of its own, such as phases, can be trusted.
func printable(r *journal.Record) { printableTexts(reflect.ValueOf(r)) }

func printableTexts(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(rules.Printable(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			printableTexts(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() { // Not those of a time.
				printableTexts(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // JSON, of which whoever reads it shows the texts.
		}
		for i := range v.Len() {
			printableTexts(v.Index(i))
		}
	default: // Numbers and truths.
	}
}
