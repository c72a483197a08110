package main

import (
	"encoding/xml"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// plant has hosts in all states and datastores mounted in all ways.
const plant = `{"datacenters":[{"name":"DC0",
 "clusters":[
  {"name":"C0","hosts":[{"name":"a"},{"name":"b","maintenance":true,"connectionState":"notResponding"}]},
  {"name":"C1","hosts":1}],
 "hosts":[{"name":"alone","connectionState":"disconnected"}],
 "datastores":[
  {"name":"plain"},
  {"name":"one","clusters":["C1"]},
  {"name":"none","mounts":[]},
  {"name":"mixed","mounts":[
   {"host":"a"},
   {"host":"b","accessMode":"readOnly","accessible":false,"inaccessibleReason":"AllPathsDown_Start"},
   {"host":"alone","mounted":false,"accessible":null}]},
  {"name":"vague","mounts":[{"host":"a","mounted":null},{"host":"b","mounted":false}],"accessible":false},
  {"name":"said","mounts":[],"multipleHostAccess":true}
 ]}]}`

// entity is one object of an answer: values of properties as inner XML.
type entity struct {
	kind, ref string
	props     map[string]string
	missing   map[string]string // path to fault
}

// entities reads the objects of a RetrievePropertiesEx or WaitForUpdatesEx answer.
func entities(t *testing.T, body string) []entity {
	t.Helper()
	type value struct {
		Name string `xml:"name"`
		Val  *struct {
			Inner string `xml:",innerxml"`
		} `xml:"val"`
	}
	type content struct {
		Kind    string  `xml:"kind"`
		Obj     string  `xml:"obj"`
		Props   []value `xml:"propSet"`
		Changes []value `xml:"changeSet"`
		Missing []struct {
			Path  string `xml:"path"`
			Fault struct {
				Fault struct {
					Type string `xml:"http://www.w3.org/2001/XMLSchema-instance type,attr"`
				} `xml:"fault"`
			} `xml:"fault"`
		} `xml:"missingSet"`
	}
	type returned struct {
		Objects []content `xml:"objects"`
		Changed []content `xml:"filterSet>objectSet"`
	}
	var envelope struct {
		Retrieved returned `xml:"Body>RetrievePropertiesExResponse>returnval"`
		Continued returned `xml:"Body>ContinueRetrievePropertiesExResponse>returnval"`
		Waited    returned `xml:"Body>WaitForUpdatesExResponse>returnval"`
	}
	if err := xml.Unmarshal([]byte(body), &envelope); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	var all []entity
	for _, c := range slices.Concat(envelope.Retrieved.Objects, envelope.Continued.Objects, envelope.Waited.Changed) {
		o := entity{c.Kind, c.Obj, make(map[string]string), make(map[string]string)}
		for _, p := range slices.Concat(c.Props, c.Changes) {
			o.props[p.Name] = "(unset)"
			if p.Val != nil {
				o.props[p.Name] = p.Val.Inner
			}
		}
		for _, m := range c.Missing {
			o.missing[m.Path] = m.Fault.Fault.Type
		}
		all = append(all, o)
	}
	return all
}

// retrieve reads properties in pages of so many objects; zero: all at once.
func (v *vcenter) retrieve(page int, wanted ...properties) []entity {
	v.t.Helper()
	v.cookie = ""
	v.ok(login(pass))
	options := ""
	if page > 0 {
		options = fmt.Sprintf("<maxObjects>%d</maxObjects>", page)
	}
	body := v.ok(`<RetrievePropertiesEx xmlns="urn:vim25"><_this type="PropertyCollector">propertyCollector</_this><specSet>` +
		v.selection(wanted...) + `</specSet><options>` + options + `</options></RetrievePropertiesEx>`)
	all := entities(v.t, body)
	for strings.Contains(body, "<token>") {
		if n := len(entities(v.t, body)); page == 0 || n != page {
			v.t.Fatalf("a page of %d", n)
		}
		token := strings.SplitN(strings.SplitN(body, "<token>", 2)[1], "</token>", 2)[0]
		body = v.ok(`<ContinueRetrievePropertiesEx xmlns="urn:vim25"><_this type="PropertyCollector">propertyCollector</_this><token>` +
			token + `</token></ContinueRetrievePropertiesEx>`)
		all = append(all, entities(v.t, body)...)
	}
	return all
}

// names maps references to the names of objects.
func (v *vcenter) names() map[string]string {
	v.t.Helper()
	names := make(map[string]string)
	for _, o := range v.retrieve(0, properties{"ManagedEntity", []string{"name"}}) {
		names[o.ref] = o.props["name"]
	}
	return names
}

// named replaces references of an inner XML by names and keeps only the text.
func named(names map[string]string, inner string) string {
	var words []string
	dec := xml.NewDecoder(strings.NewReader(inner))
	for {
		token, err := dec.Token()
		if err != nil {
			return strings.Join(words, " ")
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			word := string(text)
			if name := names[word]; name != "" {
				word = name
			}
			words = append(words, word)
		}
	}
}

var hostProperties = properties{"HostSystem", []string{"name", "parent", "datastore", "runtime.connectionState", "runtime.inMaintenanceMode"}}

func TestHostsOnTheWire(t *testing.T) {
	v := startVcenter(t, plant)
	names := v.names()
	got := make(map[string]string)
	for _, o := range v.retrieve(0, hostProperties, properties{"ComputeResource", []string{"name", "parent", "host", "datastore"}}) {
		var words []string
		for _, path := range []string{"parent", "host", "datastore", "runtime.connectionState", "runtime.inMaintenanceMode"} {
			if text, ok := o.props[path]; ok {
				words = append(words, named(names, text))
			}
		}
		kind, _, _ := strings.Cut(o.ref, "-")
		got[kind+" "+o.props["name"]] = strings.Join(words, " | ")
	}
	want := map[string]string{
		"host a":         "C0 | plain mixed vague | connected | false",
		"host b":         "C0 | plain mixed vague | notResponding | true",
		"host DC0_C1_H0": "C1 | plain one | connected | false",
		"host alone":     "alone | mixed | disconnected | false",
		"domain C0":      "host | a b | plain mixed vague",
		"domain C1":      "host | DC0_C1_H0 | plain one",
		"domain alone":   "host | alone | mixed",
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q", got)
	}
}

func TestDefaultInventoryShares(t *testing.T) {
	v := startVcenter(t, `{"datacenters":[{"datastores":[{"name":"shared"}]}]}`)
	host := v.retrieve(0, properties{"Datastore", []string{"host"}})[0].props["host"]
	if n := strings.Count(host, "<key "); n < 2 {
		t.Fatal(n, "hosts", host)
	}
}

func TestChangedHostReachesWatcher(t *testing.T) {
	v := startVcenter(t, plant)
	names := v.names()
	v.cookie = ""
	collector := v.watchAll(hostProperties, properties{"ComputeResource", []string{"name", "host", "datastore"}})
	v.ok(wait4(collector, "", 0))
	v.ctl(200, "POST", "/ctl/host", `{"name":"a","set":{"maintenance":true,"connectionState":"disconnected"}}`)
	seen := entities(t, v.ok(wait4(collector, "-", 20)))
	want := map[string]string{"runtime.connectionState": "disconnected", "runtime.inMaintenanceMode": "true"}
	if len(seen) != 1 || seen[0].kind != "modify" || names[seen[0].ref] != "a" || !reflect.DeepEqual(seen[0].props, want) {
		t.Fatal(seen)
	}
	v.ctl(200, "POST", "/ctl/host", `{"name":"a","set":{"maintenance":false}}`)
	seen = entities(t, v.ok(wait4(collector, "-", 20)))
	if len(seen) != 1 || !reflect.DeepEqual(seen[0].props, map[string]string{"runtime.inMaintenanceMode": "false"}) {
		t.Fatal(seen)
	}
	v.ctl(404, "POST", "/ctl/host", `{"name":"z","set":{"maintenance":false}}`)
	v.ctl(400, "POST", "/ctl/host", `{"name":"a","set":{}}`)
	v.ctl(400, "POST", "/ctl/host", `{"name":"a","set":{"maintenance":null}}`)
	v.ctl(400, "POST", "/ctl/host", `{"name":"a","set":{"connectionState":"gone"}}`)
	v.ctl(400, "POST", "/ctl/host", `{"name":"a","set":{"state":"gone"}}`)
}

// until waits for updates and hands them on until there is what is looked for.
func (v *vcenter) until(collector string, found func(entity) bool) entity {
	v.t.Helper()
	for {
		seen := entities(v.t, v.ok(wait4(collector, "-", 20)))
		if len(seen) == 0 {
			v.t.Fatal("nothing more happens")
		}
		if i := slices.IndexFunc(seen, found); i >= 0 {
			return seen[i]
		}
	}
}

func TestHostComesAndGoes(t *testing.T) {
	v := startVcenter(t, plant)
	names := v.names()
	v.cookie = ""
	collector := v.watchAll(hostProperties,
		properties{"ComputeResource", []string{"name", "host", "datastore"}}, properties{"Datastore", []string{"host", "summary"}})
	v.ok(wait4(collector, "", 0))

	v.ctl(404, "POST", "/ctl/host/create", `{"cluster":"C9","name":"new"}`)
	v.ctl(400, "POST", "/ctl/host/create", `{"cluster":"C1"}`)
	v.ctl(409, "POST", "/ctl/host/create", `{"cluster":"C1","name":"alone"}`)
	ref := v.ctl(200, "POST", "/ctl/host/create", `{"cluster":"C1","name":"new","maintenance":true}`)["host"].(string)
	names[ref] = "new"
	entered := v.until(collector, func(o entity) bool { return o.kind == "enter" && o.ref == ref })
	if entered.props["name"] != "new" || entered.props["datastore"] != "" || entered.props["runtime.inMaintenanceMode"] != "true" {
		t.Fatal(entered)
	}

	v.ctl(200, "POST", "/ctl/datastore", `{"name":"one","set":{"mounts":[{"host":"new"},{"host":"DC0_C1_H0"}]}}`)
	shared := v.until(collector, func(o entity) bool { return o.kind == "modify" && o.props["host"] != "" })
	if names[shared.ref] != "one" || !strings.Contains(shared.props["host"], ref) ||
		!strings.Contains(shared.props["summary"], "<multipleHostAccess>true<") {
		t.Fatal(shared)
	}

	v.ctl(200, "DELETE", "/ctl/host?name=new", "")
	left := v.until(collector, func(o entity) bool { return o.kind == "leave" })
	if left.ref != ref {
		t.Fatal(left)
	}
	for _, o := range v.retrieve(0, properties{"ComputeResource", []string{"host"}}, properties{"Datastore", []string{"host"}}) {
		if strings.Contains(o.props["host"], ref) {
			t.Fatal(o)
		}
	}
	v.ctl(404, "DELETE", "/ctl/host?name=new", "")
	v.ctl(400, "DELETE", "/ctl/host?name=alone", "")
	v.ctl(404, "POST", "/ctl/datastore", `{"name":"one","set":{"mounts":[{"host":"new"}]}}`)
	if again := v.ctl(200, "POST", "/ctl/host/create", `{"cluster":"C1","name":"new"}`)["host"]; again == ref {
		t.Fatal("a reference came back for another object")
	}
}

// Creations of all kinds and a busy watcher meet in the simulator's locks.
func TestManyHostsUnderWatch(t *testing.T) {
	v := startVcenter(t, plant)
	collector := v.watchAll(hostProperties, properties{"ComputeResource", []string{"host"}}, properties{"Datastore", []string{"host"}})
	v.ok(wait4(collector, "", 0))
	const n = 15
	changed := make(chan struct{})
	go func() {
		defer close(changed)
		for i := range n {
			v.ctl(200, "POST", "/ctl/host/create", fmt.Sprintf(`{"cluster":"C1","name":"n%d"}`, i))
			v.ctl(200, "POST", "/ctl/datastore/create", fmt.Sprintf(`{"name":"d%d","mounts":[{"host":"n%d"}]}`, i, i))
			v.ctl(200, "POST", "/ctl/datastore", fmt.Sprintf(`{"name":"none","set":{"mounts":[{"host":"n%d"}]}}`, i))
			if i > 0 {
				v.ctl(200, "DELETE", fmt.Sprintf("/ctl/host?name=n%d", i-1), "")
			}
		}
		v.ctl(200, "POST", "/ctl/host", `{"name":"a","set":{"connectionState":"notResponding"}}`)
	}()
	v.until(collector, func(o entity) bool {
		return o.props["runtime.connectionState"] == "notResponding" && o.kind == "modify"
	})
	<-changed
}
