package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// vcenter is a client that speaks plain SOAP, so that the tests see the wire.
type vcenter struct {
	t      *testing.T
	base   string
	http   *http.Client
	cookie string
	ready  readyLine
}

const user, pass = "berth@vsphere.local", "s3cret"

func startVcenter(t *testing.T, inventory string) *vcenter {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "inventory.json")
	if err := os.WriteFile(file, []byte(inventory), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, key, pool := certificate(t, dir)
	srv, err := start(options{
		listen: "127.0.0.1:0", cert: cert, key: key, username: user, password: pass,
		instanceUUID: "11111111-2222-3333-4444-555555555555", inventory: file,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.http.CloseClientConnections)
	ready := srv.ready()
	return &vcenter{
		t: t, base: strings.TrimSuffix(ready.URL, "/sdk"), ready: ready,
		http: &http.Client{
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
			Timeout:   30 * time.Second,
		},
	}
}

func certificate(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER), pool
}

func (v *vcenter) do(req *http.Request) (int, string, http.Header) {
	v.t.Helper()
	res, err := v.http.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, string(body), res.Header
}

func (v *vcenter) request(inner string) *http.Request {
	v.t.Helper()
	req, err := http.NewRequest(http.MethodPost, v.ready.URL, strings.NewReader(
		`<?xml version="1.0"?><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"`+
			` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Body>`+inner+`</Body></Envelope>`))
	if err != nil {
		v.t.Fatal(err)
	}
	if v.cookie != "" {
		req.Header.Set("Cookie", v.cookie)
	}
	return req
}

func (v *vcenter) soap(inner string) (int, string) {
	v.t.Helper()
	status, body, header := v.do(v.request(inner))
	if c := header.Get("Set-Cookie"); c != "" {
		v.cookie = strings.SplitN(c, ";", 2)[0]
	}
	return status, body
}

// ok makes a call that must succeed.
func (v *vcenter) ok(inner string) string {
	v.t.Helper()
	status, body := v.soap(inner)
	if status != http.StatusOK {
		v.t.Fatalf("status %d: %s", status, body)
	}
	return body
}

func (v *vcenter) fault(want, inner string) {
	v.t.Helper()
	status, body := v.soap(inner)
	if status != http.StatusInternalServerError || !strings.Contains(body, `xsi:type="`+want+`"`) {
		v.t.Fatalf("want fault %s, got %d: %s", want, status, body)
	}
}

func login(password string) string {
	return `<Login xmlns="urn:vim25"><_this type="SessionManager">SessionManager</_this><userName>` + user +
		`</userName><password>` + password + `</password></Login>`
}

// ctl uses a control endpoint and decodes its answer.
func (v *vcenter) ctl(wantStatus int, method, path, body string) map[string]any {
	v.t.Helper()
	req, err := http.NewRequest(method, v.base+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	status, text, _ := v.do(req)
	if status != wantStatus {
		v.t.Fatalf("%s %s %s: status %d, want %d: %s", method, path, body, status, wantStatus, text)
	}
	var value map[string]any
	if status == http.StatusOK {
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			v.t.Fatalf("%s: %v", text, err)
		}
	}
	return value
}

var returned = regexp.MustCompile(`<returnval[^>]*>([^<]+)</returnval>`)

func returnval(body string) string {
	if m := returned.FindStringSubmatch(body); m != nil {
		return m[1]
	}
	return ""
}

// watch opens a collector whose filter follows all datastores through a view.
func (v *vcenter) watch(paths ...string) (collector string) {
	v.t.Helper()
	return v.watchAll(properties{"Datastore", paths})
}

// properties are those of one type of object.
type properties struct {
	kind  string
	paths []string
}

// watchAll is watch for several types.
func (v *vcenter) watchAll(wanted ...properties) (collector string) {
	v.t.Helper()
	v.ok(login(pass))
	spec := v.selection(wanted...)
	collector = returnval(v.ok(`<CreatePropertyCollector xmlns="urn:vim25"><_this type="PropertyCollector">propertyCollector</_this></CreatePropertyCollector>`))
	v.ok(`<CreateFilter xmlns="urn:vim25"><_this type="PropertyCollector">` + collector + `</_this><spec>` + spec +
		`</spec><partialUpdates>false</partialUpdates></CreateFilter>`)
	return collector
}

// selection is the inside of a filter that follows a new view.
func (v *vcenter) selection(wanted ...properties) string {
	v.t.Helper()
	kinds, sets := "", ""
	for _, w := range wanted {
		kinds += "<type>" + w.kind + "</type>"
		sets += "<propSet><type>" + w.kind + "</type><pathSet>" + strings.Join(w.paths, "</pathSet><pathSet>") + "</pathSet></propSet>"
	}
	view := returnval(v.ok(`<CreateContainerView xmlns="urn:vim25"><_this type="ViewManager">ViewManager</_this>` +
		`<container type="Folder">group-d1</container>` + kinds + `<recursive>true</recursive></CreateContainerView>`))
	return sets + `<objectSet><obj type="ContainerView">` + view + `</obj><skip>true</skip>` +
		`<selectSet xsi:type="TraversalSpec"><name>v</name><type>ContainerView</type><path>view</path><skip>false</skip></selectSet></objectSet>`
}

func wait4(collector, version string, seconds int) string {
	return fmt.Sprintf(`<WaitForUpdatesEx xmlns="urn:vim25"><_this type="PropertyCollector">%s</_this><version>%s</version>`+
		`<options><maxWaitSeconds>%d</maxWaitSeconds></options></WaitForUpdatesEx>`, collector, version, seconds)
}

func contains(t *testing.T, body string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(body, p) {
			t.Fatalf("%q is not in %s", p, body)
		}
	}
}

const two = `{"datacenters":[{"name":"DC0","clusters":[{"name":"C0","hosts":2}],"datastores":[
 {"name":"gold","type":"VVOL","capacity":1000,"free":900,"uncommitted":7,"url":"ds:///vmfs/volumes/vvol:abc/"},
 {"name":"bare","type":"NFS41","capacity":50,"free":5,"uncommitted":null,"maintenanceMode":null}]}]}`

func TestLogin(t *testing.T) {
	v := startVcenter(t, two)
	contains(t, v.ok(`<RetrieveServiceContent xmlns="urn:vim25"><_this type="ServiceInstance">ServiceInstance</_this></RetrieveServiceContent>`),
		"<instanceUuid>11111111-2222-3333-4444-555555555555</instanceUuid>")
	v.fault("InvalidLogin", login("wrong"))
	v.ok(login(pass))
	if got := v.ctl(200, "GET", "/ctl/logins", ""); !reflect.DeepEqual(got, map[string]any{"succeeded": 1.0, "failed": 1.0}) {
		t.Fatal(got)
	}
	if _, err := (&http.Client{}).Get(v.ready.URL); err == nil {
		t.Fatal("an unknown certificate was accepted")
	}
}

func TestSummaryOnTheWire(t *testing.T) {
	v := startVcenter(t, two)
	body := v.ok(wait4(v.watch("name", "summary"), "", 0))
	contains(t, body, "<url>ds:///vmfs/volumes/vvol:abc/</url>", "<capacity>1000</capacity>", "<freeSpace>900</freeSpace>",
		"<uncommitted>7</uncommitted>", "<type>VVOL</type>", "<type>NFS41</type>", "<accessible>true</accessible>")
	if n := strings.Count(body, "<maintenanceMode>"); n != 1 {
		t.Fatalf("%d maintenance modes, want that of one datastore: %s", n, body)
	}
	if n := strings.Count(body, "<uncommitted>"); n != 1 {
		t.Fatalf("%d times uncommitted: %s", n, body)
	}
}

func TestChangeReachesWatcher(t *testing.T) {
	v := startVcenter(t, two)
	for _, path := range []string{"summary", "summary.freeSpace"} {
		v.cookie = ""
		collector := v.watch(path)
		v.ok(wait4(collector, "", 0))
		changed := make(chan struct{})
		go func() {
			defer close(changed)
			time.Sleep(200 * time.Millisecond)
			v.ctl(200, "POST", "/ctl/datastore", `{"name":"gold","set":{"freeSpace":123,"maintenanceMode":"inMaintenance","accessible":false}}`)
		}()
		body := v.ok(wait4(collector, "-", 20))
		<-changed
		contains(t, body, "<kind>modify</kind>", "<name>"+path+"</name>", ">123</")
		if path == "summary" {
			contains(t, body, "<maintenanceMode>inMaintenance</maintenanceMode>", "<accessible>false</accessible>")
		}
	}
}

func TestRename(t *testing.T) {
	v := startVcenter(t, two)
	collector := v.watch("name", "summary")
	v.ok(wait4(collector, "", 0))
	v.ctl(409, "POST", "/ctl/datastore", `{"name":"gold","set":{"name":"bare"}}`)
	v.ctl(200, "POST", "/ctl/datastore", `{"name":"gold","set":{"name":"silver"}}`)
	contains(t, v.ok(wait4(collector, "-", 20)), "<name>silver</name>", `xsd:string">silver<`)
	v.ctl(404, "POST", "/ctl/datastore", `{"name":"gold","set":{"freeSpace":1}}`)
}

func TestCreateAndDelete(t *testing.T) {
	v := startVcenter(t, two)
	collector := v.watch("name", "summary", "host")
	v.ok(wait4(collector, "", 0))
	ref := v.ctl(200, "POST", "/ctl/datastore/create", `{"name":"new","type":"vsan","capacity":77,"datacenter":"DC0"}`)["datastore"].(string)
	if ref == v.ready.Datastores["gold"] || ref == v.ready.Datastores["bare"] {
		t.Fatal("reference used twice:", ref)
	}
	contains(t, v.ok(wait4(collector, "-", 20)), "<kind>enter</kind>", ref, "<capacity>77</capacity>", "<type>vsan</type>")
	v.ctl(409, "POST", "/ctl/datastore/create", `{"name":"new"}`)
	v.ctl(200, "DELETE", "/ctl/datastore?name=new", "")
	contains(t, v.ok(wait4(collector, "-", 20)), "<kind>leave</kind>", ref)
	v.ctl(404, "DELETE", "/ctl/datastore?name=new", "")
	if again := v.ctl(200, "POST", "/ctl/datastore/create", `{"name":"new"}`)["datastore"]; again == ref {
		t.Fatal("a reference came back for another object")
	}
}

// Creations and a busy watcher meet in the simulator's locks.
func TestManyCreationsUnderWatch(t *testing.T) {
	v := startVcenter(t, two)
	collector := v.watch("summary")
	v.ok(wait4(collector, "", 0))
	created := make(chan struct{})
	go func() {
		defer close(created)
		for i := range 40 {
			v.ctl(200, "POST", "/ctl/datastore/create", fmt.Sprintf(`{"name":"n%d"}`, i))
		}
	}()
	seen := make(map[string]bool)
	for len(seen) < 40 {
		for _, m := range regexp.MustCompile(`<name>(n\d+)</name>`).FindAllStringSubmatch(v.ok(wait4(collector, "-", 10)), -1) {
			seen[m[1]] = true
		}
	}
	<-created
}

func TestTruncatedPages(t *testing.T) {
	var list []string
	for i := range 150 {
		list = append(list, fmt.Sprintf(`{"name":"ds%03d"}`, i))
	}
	v := startVcenter(t, `{"datacenters":[{"datastores":[`+strings.Join(list, ",")+`]}]}`)
	collector := v.watch("summary")
	first := v.ok(wait4(collector, "", 0))
	contains(t, first, "<truncated>true</truncated>")
	second := v.ok(wait4(collector, "P", 0))
	if a, b := strings.Count(first, "<kind>enter</kind>"), strings.Count(second, "<kind>enter</kind>"); a != 100 || b != 50 {
		t.Fatal(a, b)
	}
	if strings.Contains(second, "<truncated>true") {
		t.Fatal("the last page is truncated")
	}
}

func TestSessionsEnd(t *testing.T) {
	v := startVcenter(t, two)
	collector := v.watch("summary")
	v.ok(wait4(collector, "", 0))
	if n := len(v.ctl(200, "GET", "/ctl/sessions", "")["sessions"].([]any)); n != 1 {
		t.Fatal(n, "sessions")
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		time.Sleep(200 * time.Millisecond)
		v.ctl(200, "DELETE", "/ctl/sessions", "")
	}()
	began := time.Now()
	v.fault("NotAuthenticated", wait4(collector, "-", 20)) // the poll in progress
	if d := time.Since(began); d > 10*time.Second {
		t.Fatal("the poll ended only after", d)
	}
	<-ended
	v.fault("NotAuthenticated", wait4(collector, "-", 20)) // and the next call
	if n := len(v.ctl(200, "GET", "/ctl/sessions", "")["sessions"].([]any)); n != 0 {
		t.Fatal(n, "sessions")
	}
	v.cookie = ""
	v.ok(wait4(v.watch("summary"), "", 0))
}

// A client that gave up a poll must not lose the next change.
func TestAbandonedPoll(t *testing.T) {
	v := startVcenter(t, two)
	collector := v.watch("summary")
	v.ok(wait4(collector, "", 0))
	for i := range 5 {
		short := &http.Client{Transport: v.http.Transport, Timeout: 100 * time.Millisecond}
		if res, err := short.Do(v.request(wait4(collector, "-", 20))); err == nil {
			res.Body.Close()
			t.Fatal("the poll was answered")
		}
		time.Sleep(100 * time.Millisecond) // the server notices the closed connection
		v.ctl(200, "POST", "/ctl/datastore", fmt.Sprintf(`{"name":"gold","set":{"freeSpace":%d}}`, 100+i))
		contains(t, v.ok(wait4(collector, "-", 10)), fmt.Sprintf("<freeSpace>%d</freeSpace>", 100+i))
	}
}

func TestRawUpdate(t *testing.T) {
	v := startVcenter(t, two)
	collector := v.watch("summary")
	v.ok(wait4(collector, "", 0))
	update := func(kind, id, path, xsi, val string) string {
		return `<ObjectUpdate xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">` +
			`<kind>` + kind + `</kind><obj type="Datastore">` + id + `</obj><changeSet><name>` + path +
			`</name><op>assign</op><val xsi:type="` + xsi + `">` + val + `</val></changeSet></ObjectUpdate>`
	}
	gold := v.ready.Datastores["gold"]
	for _, bad := range []string{
		update("modify", gold, "summary.nonsense", "xsd:long", "1"),
		update("modify", gold, "", "xsd:long", "1"),
		update("modify", gold, "summary.freeSpace", "xsd:string", "x"),
		update("modify", gold, "info", "xsd:string", "x"),
		update("leave", gold, "summary.freeSpace", "xsd:long", "1"),
		"<ObjectUpdate/>", "no xml",
	} {
		v.ctl(400, "POST", "/ctl/update", bad)
	}
	v.ctl(404, "POST", "/ctl/update", update("modify", "datastore-1", "summary.freeSpace", "xsd:long", "1"))
	v.ctl(200, "POST", "/ctl/update", update("modify", gold, "summary.freeSpace", "xsd:long", "321"))
	contains(t, v.ok(wait4(collector, "-", 20)), "<freeSpace>321</freeSpace>")
}

func TestFaults(t *testing.T) {
	v := startVcenter(t, two)
	collector := v.watch("summary")
	for _, name := range []string{"NotAuthenticated", "InvalidLogin", "InvalidCollectorVersion", "NoPermission", "ManagedObjectNotFound"} {
		v.ctl(200, "POST", "/ctl/fault", `{"method":"WaitForUpdatesEx","fault":"`+name+`"}`)
		v.fault(name, wait4(collector, "", 0))
		v.ok(wait4(collector, "", 0))
	}
	v.ctl(400, "POST", "/ctl/fault", `{"method":"WaitForUpdatesEx","fault":"Nonsense"}`)
	v.ctl(400, "POST", "/ctl/fault", `{"method":"WaitForUpdatesEx","falt":"NoPermission"}`)

	v.ctl(200, "POST", "/ctl/fault", `{"method":"*","fault":"NoPermission","count":0}`)
	for range 3 {
		v.fault("NoPermission", wait4(collector, "", 0))
	}
	v.ctl(200, "DELETE", "/ctl/fault", "")
	v.ok(wait4(collector, "", 0))

	v.ctl(200, "POST", "/ctl/fault", `{"method":"WaitForUpdatesEx","delayMs":300}`)
	began := time.Now()
	v.ok(wait4(collector, "", 0))
	if d := time.Since(began); d < 300*time.Millisecond {
		t.Fatal("no delay:", d)
	}

	v.ctl(200, "POST", "/ctl/http", `{"status":503}`)
	if status, _ := v.soap(wait4(collector, "", 0)); status != 503 {
		t.Fatal(status)
	}
	v.ok(wait4(collector, "", 0))
	v.ctl(200, "POST", "/ctl/http", `{"status":503,"path":"/pbm"}`)
	v.ok(wait4(collector, "", 0))
}

func TestSameFileSameReferences(t *testing.T) {
	a, b := startVcenter(t, two), startVcenter(t, two)
	if !reflect.DeepEqual(a.ready.Datastores, b.ready.Datastores) || len(a.ready.Datastores) != 2 {
		t.Fatal(a.ready, b.ready)
	}
	// Everything that is in the file, not only datastores.
	dump := func(v *vcenter) []byte {
		v.ok(login(pass))
		view := returnval(v.ok(`<CreateContainerView xmlns="urn:vim25"><_this type="ViewManager">ViewManager</_this>` +
			`<container type="Folder">group-d1</container><recursive>true</recursive></CreateContainerView>`))
		body := v.ok(`<RetrievePropertiesEx xmlns="urn:vim25"><_this type="PropertyCollector">propertyCollector</_this><specSet>` +
			`<propSet><type>ManagedEntity</type><pathSet>name</pathSet><pathSet>parent</pathSet></propSet>` +
			`<propSet><type>Datastore</type><pathSet>summary</pathSet><pathSet>info</pathSet><pathSet>host</pathSet></propSet>` +
			`<objectSet><obj type="ContainerView">` + view + `</obj><skip>true</skip><selectSet xsi:type="TraversalSpec">` +
			`<type>ContainerView</type><path>view</path></selectSet></objectSet></specSet><options/></RetrievePropertiesEx>`)
		return []byte(body)
	}
	if x, y := dump(a), dump(b); !bytes.Equal(x, y) || len(x) < 2000 {
		t.Fatalf("%s\n%s", x, y)
	}
}

func TestBadInventory(t *testing.T) {
	for _, bad := range []string{
		`{`, `{"datacentres":[]}`, `{} {}`,
		`{"datacenters":[{"datastores":[{"type":"VMFS"}]}]}`,
		`{"datacenters":[{"datastores":[{"name":"a"},{"name":"a"}]}]}`,
		`{"datacenters":[{"datastores":[{"name":"a","url":null}]}]}`,
		`{"datacenters":[{"datastores":[{"name":"a","mounts":null}]}]}`,
		`{"datacenters":[{"datastores":[{"name":"a","mounts":[{"host":"none"}]}]}]}`,
		`{"datacenters":[{"datastores":[{"name":"a","mounts":[{"host":"DC0_C0_H0","mode":"readOnly"}]}]}]}`,
		`{"datacenters":[{"datastores":[{"name":"a","mounts":[{"host":"DC0_C0_H0","accessMode":"none"}]}]}]}`,
		`{"datacenters":[{"datastores":[{"name":"a","mounts":[{"host":"DC0_C0_H0"},{"host":"DC0_C0_H0"}]}]}]}`,
		`{"datacenters":[{"datastores":[{"name":"a","mounts":[],"clusters":[]}]}]}`,
		`{"datacenters":[{"datastores":[{"name":"a","withheld":["sumary"]}]}]}`,
		`{"datacenters":[{"datastores":[{"name":"a","timestamp":"yesterday"}]}]}`,
		`{"datacenters":[{},{"datastores":[{"name":"a","mounts":[{"host":"DC0_C0_H0"}]}]}]}`,
		`{"datacenters":[{"clusters":[{"hosts":-1}]}]}`,
		`{"datacenters":[{"clusters":[{"hosts":[{"name":"a"},{"name":"a"}]}]}]}`,
		`{"datacenters":[{"clusters":[{"hosts":[{"name":"a","connectionState":"lost"}]}]}]}`,
		`{"datacenters":[{"clusters":[{"hosts":[{"name":"a","maintenance":null}]}]}]}`,
		`{"datacenters":[{"hosts":[{"nam":"a"}]}]}`,
		`{"datacenters":[{"datastores":[{"name":"a","clusters":["none"]}]}]}`,
		`{"datacenters":[{"name":"A"},{"name":"A"}]}`,
		`{"datacenters":[{"clusters":[{"name":"A"},{"name":"A"}]}]}`,
	} {
		file := filepath.Join(t.TempDir(), "inventory.json")
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := start(options{listen: "127.0.0.1:0", username: user, password: pass, inventory: file}); err == nil {
			t.Error("accepted:", bad)
		}
	}
}
