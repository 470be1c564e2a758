package config

import "reflect"

// SecretHelp returns the help of every secret, which has no flag to stand at, in
// the order of Config.
func SecretHelp() []Entry { return secretHelp(reflect.TypeFor[Config]()) }

func secretHelp(section reflect.Type) []Entry {
	var entries []Entry
	for field := range section.Fields() {
		switch name := field.Tag.Get("secret"); {
		case name != "":
			entries = append(entries, Entry{Name: name, Value: field.Tag.Get("help")})
		case field.Type.Kind() == reflect.Struct && field.IsExported():
			entries = append(entries, secretHelp(field.Type)...)
		}
	}
	return entries
}
