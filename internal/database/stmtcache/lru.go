package stmtcache

import (
	"container/list"
	"errors"
)

// lru keeps the statements that were put in last, one for each query.
type lru struct {
	size    int
	order   *list.List // of entry, the last one put in front
	byQuery map[string]*list.Element
}

type entry struct {
	query string
	stmt  fullStmt
}

func newLRU(size int) *lru {
	return &lru{size: size, order: list.New(), byQuery: map[string]*list.Element{}}
}

// take removes the query's statement and returns it, nil when there is none.
func (l *lru) take(query string) fullStmt {
	element, ok := l.byQuery[query]
	if !ok {
		return nil
	}
	return l.remove(element)
}

// put adds a statement and closes the one that has no place any more.
func (l *lru) put(query string, stmt fullStmt) error {
	if _, ok := l.byQuery[query]; ok {
		return stmt.Close() // it was in use twice
	}
	l.byQuery[query] = l.order.PushFront(entry{query, stmt})
	if l.order.Len() <= l.size {
		return nil
	}
	return l.remove(l.order.Back()).Close()
}

func (l *lru) clear() error {
	var errs []error
	for l.order.Len() > 0 {
		errs = append(errs, l.remove(l.order.Front()).Close())
	}
	return errors.Join(errs...)
}

func (l *lru) remove(element *list.Element) fullStmt {
	e := l.order.Remove(element).(entry) //nolint:forcetypeassert,errcheck // nothing else is put in
	delete(l.byQuery, e.query)
	return e.stmt
}
