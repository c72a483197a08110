package main

import (
	"reflect"
	"strings"
	"testing"
)

const veiled = `{"datacenters":[{"name":"DC0","datastores":[
 {"name":"full","capacity":1000,"free":900,"maxVirtualDiskCapacity":77,"timestamp":"2026-01-02T03:04:05Z","thinProvisioning":false},
 {"name":"bare","capacity":null,"free":null,"accessible":null,"uncommitted":null,"maintenanceMode":null,"multipleHostAccess":null,
  "maxVirtualDiskCapacity":null,"timestamp":null,"thinProvisioning":null},
 {"name":"denied","withheld":["summary","host"]},
 {"name":"other","type":"PMEM"}]}]}`

// elements lists the names of the children of a value.
func elements(inner string) map[string]bool {
	all := make(map[string]bool)
	for _, part := range strings.Split(inner, "</")[1:] {
		name, _, _ := strings.Cut(part, ">")
		all[name] = true
	}
	return all
}

var veiledPaths = map[string][]string{
	"summary":    {"capacity", "freeSpace", "accessible", "maintenanceMode", "multipleHostAccess"},
	"info":       {"freeSpace", "maxVirtualDiskCapacity", "timestamp"},
	"capability": {"perFileThinProvisioningSupported"},
}

func TestAbsentIsAbsent(t *testing.T) {
	v := startVcenter(t, veiled)
	names := v.names()
	for _, page := range []int{0, 1} {
		paths := []string{"name", "summary", "info", "capability"}
		for _, o := range v.retrieve(page, properties{"Datastore", paths}) {
			for property, members := range veiledPaths {
				there := elements(o.props[property])
				for _, member := range members {
					want := names[o.ref] != "bare" && (names[o.ref] != "denied" || property != "summary") &&
						(names[o.ref] != "other" || member != "maxVirtualDiskCapacity")
					if there[member] != want {
						t.Fatal(page, names[o.ref], property, member, o.props[property])
					}
				}
			}
		}
	}
	// The same by paths of their own.
	var paths []string
	for property, members := range veiledPaths {
		for _, member := range members {
			paths = append(paths, property+"."+member)
		}
	}
	for _, o := range v.retrieve(0, properties{"Datastore", paths}) {
		if n := len(o.props); names[o.ref] == "bare" && n != 0 || names[o.ref] == "full" && n != len(paths) {
			t.Fatal(names[o.ref], o.props)
		}
		if names[o.ref] == "full" && (o.props["info.maxVirtualDiskCapacity"] != "77" || o.props["info.timestamp"] != "2026-01-02T03:04:05Z" ||
			o.props["capability.perFileThinProvisioningSupported"] != "false") {
			t.Fatal(o.props)
		}
	}
}

func TestWithheldIsAFault(t *testing.T) {
	v := startVcenter(t, veiled)
	names := v.names()
	for _, o := range v.retrieve(3, properties{"Datastore", []string{"name", "summary.freeSpace", "host", "capability"}}) {
		want := map[string]string{}
		if names[o.ref] == "denied" {
			want = map[string]string{"summary.freeSpace": "NoPermission", "host": "NoPermission"}
		}
		seen := len(o.props) + len(o.missing)
		if !reflect.DeepEqual(o.missing, want) || names[o.ref] != "bare" && seen != 4 || o.props["name"] == "" {
			t.Fatal(o)
		}
	}
	v.cookie = ""
	for _, o := range entities(t, v.ok(wait4(v.watch("name", "summary"), "", 0))) {
		if o.kind != "enter" || (o.missing["summary"] == "NoPermission") != (names[o.ref] == "denied") {
			t.Fatal(o)
		}
	}
}

func TestVeilsComeAndGoUnderWatch(t *testing.T) {
	v := startVcenter(t, veiled)
	for _, paths := range [][]string{
		{"summary", "info", "capability"},
		{"summary.freeSpace", "info.freeSpace", "info.timestamp", "capability.perFileThinProvisioningSupported"},
	} {
		v.cookie = ""
		collector := v.watch(paths...)
		v.ok(wait4(collector, "", 0))
		set := func(set string) entity {
			t.Helper()
			v.ctl(200, "POST", "/ctl/datastore", `{"name":"full","set":`+set+`}`)
			seen := entities(t, v.ok(wait4(collector, "-", 20)))
			if len(seen) != 1 || seen[0].kind != "modify" {
				t.Fatal(seen)
			}
			return seen[0]
		}
		expect := func(o entity, values ...string) {
			t.Helper()
			if len(o.props) != len(paths) {
				t.Fatal(o)
			}
			for i, path := range paths {
				isPart := strings.Contains(path, ".")
				switch {
				case values == nil && isPart && o.props[path] != "(unset)":
					t.Fatal(path, o)
				case values == nil:
					for _, hidden := range []string{"freeSpace", "timestamp", "perFileThinProvisioningSupported"} {
						if strings.Contains(o.props[path], "<"+hidden+">") {
							t.Fatal(path, o)
						}
					}
				case isPart && o.props[path] != values[i]:
					t.Fatal(path, o)
				case !isPart && !strings.Contains(o.props[path], ">"+values[i]+"</"):
					t.Fatal(path, o)
				}
			}
		}
		whole := len(paths) == 3
		after := func(free, timestamp, thin string) []string {
			if whole {
				return []string{free, timestamp, thin}
			}
			return []string{free, free, timestamp, thin}
		}
		expect(set(`{"freeSpace":null,"timestamp":null,"thinProvisioning":null}`))
		expect(set(`{"freeSpace":5,"timestamp":"2026-02-03T04:05:06Z","thinProvisioning":true}`), after("5", "2026-02-03T04:05:06Z", "true")...)

		gone := set(`{"withheld":["summary","info"]}`)
		if len(gone.props) != 0 || len(gone.missing) != len(paths)-1 {
			t.Fatal(gone)
		}
		back := set(`{"withheld":[]}`)
		if len(back.missing) != 0 || len(back.props) != len(paths)-1 {
			t.Fatal(back)
		}
	}
	v.ctl(400, "POST", "/ctl/datastore", `{"name":"full","set":{"withheld":["sumary"]}}`)
	v.ctl(400, "POST", "/ctl/datastore", `{"name":"full","set":{"mounts":null}}`)
	v.ctl(400, "POST", "/ctl/datastore", `{"name":"full","set":{"mounts":[{"hosts":"x"}]}}`)
}
