// Package config is every setting of the program: its name, flag, default and
// help, and the rules that a value must meet. Flags win over the environment,
// and the environment over the defaults. Secrets have no flag: they come from
// NAME or from the file that NAME_FILE names, and such a file is read again
// when it changes.
//
// All problems are reported at once, each as a sentence with the setting's name
// and never with its value.
//
// It must not know what a setting is used for: it imports nothing of ours, and
// it learns the environment, the files and the clock from its caller.
package config
