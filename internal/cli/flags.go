package cli

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// flagTypes teaches kong the words of the domain's closed sets, and texts with rules.
func flagTypes() []kong.Option {
	return []kong.Option{
		kong.TypeMapper(reflect.TypeFor[deletion.State](), oneOf(deletion.States())),
		kong.TypeMapper(reflect.TypeFor[deletion.HoldReason](), oneOf(deletion.HoldReasons())),
		kong.TypeMapper(reflect.TypeFor[deletion.Outcome](), oneOf(ops.Redoable())), // redo's flag
		kong.TypeMapper(reflect.TypeFor[endedAs](), oneOf(deletion.Outcomes())),
		kong.TypeMapper(reflect.TypeFor[externalID](), text(checkExternalID)),
		kong.TypeMapper(reflect.TypeFor[operatorName](), text(ops.CheckName)),
		kong.TypeMapper(reflect.TypeFor[operatorReason](), text(ops.CheckReason)),
	}
}

// flagsGiven are the flags on the command line, by their setting's name.
func flagsGiven(parsed *kong.Context) map[string]string {
	flags := map[string]string{}
	for _, part := range parsed.Path {
		if part.Flag != nil && !part.Resolved {
			flags[part.Flag.Tag.Get("env")] = "--" + part.Flag.Name
		}
	}
	return flags
}

// secretFlag says of a secret that was given as a flag what it is set by instead; nil
// when there is none. It never says the value.
func secretFlag(args []string, providers provider.Registry) error {
	all := config.Config{Providers: providers.Settings()}
	for _, arg := range args {
		flag, _, _ := strings.Cut(arg, "=")
		name := strings.TrimSuffix(strings.ReplaceAll(strings.ToUpper(strings.TrimLeft(flag, "-")), "-", "_"), "_FILE")
		for _, secret := range all.SecretHelp() {
			if strings.HasPrefix(flag, "--") && secret.Name == name {
				return fmt.Errorf("secrets have no flag: set %s or %[1]s_FILE", name)
			}
		}
	}
	return nil
}

// text reads text that check lets through.
func text(check func(text string) error) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		var given string
		if err := ctx.Scan.PopValueInto("text", &given); err != nil {
			return err
		}
		target.SetString(given)
		return check(given)
	}
}

// oneOf reads a word of a closed set: one that is none of it would find nothing,
// which looks like good news.
func oneOf[T ~string](all []T) kong.MapperFunc {
	return text(func(word string) error {
		if slices.Contains(all, T(word)) {
			return nil
		}
		words := make([]string, len(all))
		for i, w := range all {
			words[i] = string(w)
		}
		return fmt.Errorf("there is no %q; choose one of %s", word, strings.Join(words, ", "))
	})
}

// moment is a point in time: a duration before now (90m, 72h, 30d), a date or an
// RFC 3339 time.
type moment struct{ time.Time }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *moment) UnmarshalText(text []byte) (err error) {
	m.Time, err = parseMoment(string(text), time.Now())
	return err
}

func parseMoment(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errors.New("must be a duration such as 72h or 30d, a date such as 2026-11-01, or a time such as 2026-11-01T12:00:00Z")
}

type (
	// externalID is the id of a customer that a deletion can have.
	externalID string
	// operatorName is who an operator says they are.
	operatorName string
	// operatorReason is why an operator does something: one readable line.
	operatorReason string
)

func checkExternalID(id string) error {
	if err := deletion.CheckExternalID(id); err != nil {
		return fmt.Errorf("no deletion can have it: %w", err)
	}
	return nil
}

// share is a part of a whole, from 0 to 1, written as a percentage.
type share float64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *share) UnmarshalText(text []byte) error {
	const whole = 100
	number, found := strings.CutSuffix(string(text), "%")
	percent, err := strconv.ParseFloat(number, 64)
	if err != nil || !found || !(percent >= 0 && percent <= whole) {
		return errors.New("must be a percentage such as 5% or 0.5%")
	}
	*s = share(percent / whole)
	return nil
}
