package main

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/vmware/govmomi/vim25/types"
)

// concealment keeps back what clients must not see of datastores. The simulator's
// types have no absent value for the elements that the API requires, and it knows no
// permissions; so the answers are cut on their way out.
type concealment struct {
	mu sync.Mutex
	of map[string]hidden // by the value of the reference
}

type hidden struct {
	absent   map[string]bool // paths as if unset, for example "summary.capacity"
	withheld []string        // properties without permission, for example "summary"
}

// get returns a copy.
func (c *concealment) get(ref types.ManagedObjectReference) hidden {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := hidden{absent: make(map[string]bool), withheld: slices.Clone(c.of[ref.Value].withheld)}
	for path := range c.of[ref.Value].absent {
		h.absent[path] = true
	}
	return h
}

func (c *concealment) set(ref types.ManagedObjectReference, h hidden) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(h.absent) == 0 && len(h.withheld) == 0 {
		delete(c.of, ref.Value)
	} else {
		c.of[ref.Value] = h
	}
}

// under tells whether a path is that property or a part of it.
func under(path, property string) bool {
	return path == property || strings.HasPrefix(path, property+".")
}

func (h hidden) withholds(path string) bool {
	return slices.ContainsFunc(h.withheld, func(property string) bool { return under(path, property) })
}

// element is an open XML element of an answer. What it notes of its children depends
// on what it is: an object, a property of it, or the value of that.
type element struct {
	name        string
	start, text int64 // where it and its content begin

	object, kind string   // of an object: its reference, and what happened to it
	missing      []string // of an object: the properties without permission
	path         string   // of a property: its name
	value        span     // of a property: its whole value
	members      []member // of a value
}

type span struct{ from, to int64 }

type member struct {
	name string
	span
}

type edit struct {
	span
	insert string
}

// filter cuts an answer of a property collector.
func (c *concealment) filter(body []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.of) == 0 {
		return body, nil
	}
	edits, err := c.edits(body)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	var out bytes.Buffer
	at := int64(0)
	for _, e := range edits {
		out.Write(body[at:e.from])
		out.WriteString(e.insert)
		at = e.to
	}
	out.Write(body[at:])
	return out.Bytes(), nil
}

func (c *concealment) edits(body []byte) ([]edit, error) {
	var edits []edit
	open := []*element{{}}
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		before := dec.InputOffset()
		token, err := dec.RawToken()
		if err == io.EOF {
			return edits, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, &element{name: token.Name.Local, start: before, text: dec.InputOffset()})
		case xml.EndElement:
			if len(open) < 2 {
				return nil, fmt.Errorf("unexpected end of %s", token.Name.Local)
			}
			e, parent := open[len(open)-1], open[len(open)-2]
			open = open[:len(open)-1]
			whole := span{e.start, dec.InputOffset()}
			text := func() string { return string(body[e.text:before]) } // plain: nothing is escaped
			if len(e.missing) > 0 {
				edits = append(edits, edit{span{before, before}, noPermission(e.object, e.missing)})
			}
			switch {
			case parent.name == "val":
				parent.members = append(parent.members, member{e.name, whole})
			case e.name == "obj":
				parent.object = text()
			case e.name == "kind":
				parent.kind = text()
			case e.name == "name":
				parent.path = text()
			case e.name == "val":
				parent.value, parent.members = whole, e.members
			case e.name == "propSet" || e.name == "changeSet":
				edits = append(edits, c.of[parent.object].cut(e, parent, whole)...)
			}
		}
	}
}

// cut handles one property of an object.
func (h hidden) cut(property, object *element, whole span) []edit {
	switch {
	case h.withholds(property.path):
		object.missing = append(object.missing, property.path)
		return []edit{{span: whole}}
	case h.absent[property.path] && object.kind == string(types.ObjectUpdateKindModify):
		return []edit{{span: property.value}} // it is unset now
	case h.absent[property.path]:
		return []edit{{span: whole}}
	}
	var edits []edit
	for _, m := range property.members {
		if h.absent[property.path+"."+m.name] {
			edits = append(edits, edit{span: m.span})
		}
	}
	return edits
}

// noPermission is the missingSet that stands for properties; only datastores are cut.
func noPermission(ref string, paths []string) string {
	var all strings.Builder
	for _, path := range paths {
		fmt.Fprintf(&all, `<missingSet><path>%s</path><fault><fault xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`+
			` xsi:type="NoPermission"><object type="Datastore">%s</object><privilegeId>System.Read</privilegeId></fault>`+
			`<localizedMessage>No permission to read %s.</localizedMessage></fault></missingSet>`, path, ref, path)
	}
	return all.String()
}
