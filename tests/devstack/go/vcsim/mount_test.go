package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// mountWords says each mount in words, without where it is mounted.
func mountWords(names map[string]string, inner string) []string {
	var all []string
	for _, mount := range strings.SplitAfter(inner, "</DatastoreHostMount>") {
		words := strings.Fields(named(names, mount))
		words = slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "/vmfs/volumes/") })
		if len(words) > 0 {
			all = append(all, strings.Join(words, " "))
		}
	}
	return all
}

func TestMountsReadBack(t *testing.T) {
	v := startVcenter(t, plant)
	names := v.names()
	want := map[string][]string{
		"plain": {"a readWrite true true", "b readWrite true true", "DC0_C1_H0 readWrite true true"},
		"one":   {"DC0_C1_H0 readWrite true true"},
		"none":  nil,
		"mixed": {"a readWrite true true", "b readOnly true false AllPathsDown_Start", "alone readWrite false"},
		"vague": {"a readWrite false", "b readWrite false false"},
		"said":  nil,
	}
	several := map[string]string{"plain": "true", "one": "false", "none": "false", "mixed": "true", "vague": "false", "said": "true"}
	for _, page := range []int{0, 1, 4} {
		got, gotSeveral := make(map[string][]string), make(map[string]string)
		for _, o := range v.retrieve(page, properties{"Datastore", []string{"host", "summary.multipleHostAccess"}}) {
			host, there := o.props["host"]
			if !there || host == "(unset)" {
				t.Fatal("no host:", o)
			}
			got[names[o.ref]] = mountWords(names, host)
			gotSeveral[names[o.ref]] = o.props["summary.multipleHostAccess"]
		}
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotSeveral, several) {
			t.Fatalf("page %d: %q %q", page, got, gotSeveral)
		}
	}
}

func TestChangedMountsReachWatcher(t *testing.T) {
	v := startVcenter(t, plant)
	names := v.names()
	v.cookie = ""
	collector := v.watchAll(properties{"Datastore", []string{"host", "summary.multipleHostAccess"}},
		properties{"ComputeResource", []string{"datastore"}})
	v.ok(wait4(collector, "", 0))
	change := func(name, set string) (mounts []string, several string) {
		t.Helper()
		v.ctl(200, "POST", "/ctl/datastore", `{"name":"`+name+`","set":`+set+`}`)
		o := v.until(collector, func(o entity) bool { return names[o.ref] == name })
		if o.kind != "modify" {
			t.Fatal(o)
		}
		return mountWords(names, o.props["host"]), o.props["summary.multipleHostAccess"]
	}
	check := func(name, set, wantSeveral string, want ...string) {
		t.Helper()
		if got, several := change(name, set); !slices.Equal(got, want) || several != wantSeveral {
			t.Fatalf("%q %q", got, several)
		}
	}
	check("one", `{"mounts":[{"host":"a"},{"host":"b","accessible":true}]}`, "true", "a readWrite true true", "b readWrite true true")
	check("one", `{"accessible":false}`, "", "a readWrite true false", "b readWrite true true")
	check("one", `{"accessible":null}`, "", "a readWrite true", "b readWrite true true")
	check("one", `{"mounts":[{"host":"a"},{"host":"b","mounted":false}]}`, "false", "a readWrite true", "b readWrite false")
	check("one", `{"mounts":[]}`, "false")
	check("one", `{"multipleHostAccess":null}`, "(unset)")
	check("one", `{"mounts":[{"host":"a"},{"host":"b"}]}`, "", "a readWrite true", "b readWrite true") // what was said stays
	check("one", `{"multipleHostAccess":false}`, "false")

	lists := make(map[string]string)
	for _, o := range v.retrieve(0, properties{"ManagedEntity", []string{"datastore"}}) {
		lists[names[o.ref]] = named(names, o.props["datastore"])
	}
	if lists["C0"] != "plain mixed vague one" || lists["C1"] != "plain" || lists["a"] != "plain mixed vague one" || lists["DC0_C1_H0"] != "plain" {
		t.Fatalf("%q", lists)
	}
}
