// Command vcsim serves a simulated vCenter whose inventory comes from a file
// and can be changed from outside while clients watch it. The stock simulator
// has no way to push a changed datastore to a watcher, which is the very thing
// a controller under test reacts to.
package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/vmware/govmomi/pbm/simulator"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/vpx"
	_ "github.com/vmware/govmomi/vapi/simulator"
	"github.com/vmware/govmomi/vim25"
)

type options struct {
	listen, cert, key  string
	username, password string
	instanceUUID       string
	inventory          string
}

func main() {
	log.SetPrefix("vcsim: ")
	log.SetFlags(0)

	var opt options
	flag.StringVar(&opt.listen, "listen", "127.0.0.1:0", "`address` to serve on; port 0 takes a free one")
	flag.StringVar(&opt.cert, "cert", "", "PEM `file` with the server certificate (default: a built-in one for localhost)")
	flag.StringVar(&opt.key, "key", "", "PEM `file` with the private key of -cert")
	flag.StringVar(&opt.username, "username", "administrator@vsphere.local", "the only accepted user")
	flag.StringVar(&opt.password, "password", "password", "password of that user")
	flag.StringVar(&opt.instanceUUID, "instance-uuid", "6f1b3ad2-52a0-4d0c-8f0e-5f3d1c9b7a10", "identity this vCenter reports")
	flag.StringVar(&opt.inventory, "inventory", "", "JSON `file` to build the inventory from (default: one cluster without datastores)")
	stdinExit := flag.Bool("stdinexit", false, "end when stdin is closed, so that no orphan outlives its parent")
	flag.Parse()
	if flag.NArg() != 0 {
		log.Fatalf("unexpected argument %q", flag.Arg(0))
	}

	// Installed before the ready line: whoever reads that line may send a signal at once.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)

	srv, err := start(opt)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(srv.ready()); err != nil {
		log.Fatal(err)
	}

	if *stdinExit {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop <- syscall.SIGTERM
		}()
	}
	<-stop
	// No orderly close: that would wait for the long polls of clients.
}

// server is one running simulated vCenter.
type server struct {
	http *simulator.Server
	inv  *inventory
}

type readyLine struct {
	URL        string            `json:"url"`
	Datastores map[string]string `json:"datastores"`
}

func (s *server) ready() readyLine {
	u := *s.http.URL
	u.User = nil
	return readyLine{URL: u.String(), Datastores: s.inv.references()}
}

func start(opt options) (srv *server, err error) {
	conf, err := tlsConfig(opt.cert, opt.key)
	if err != nil {
		return nil, err
	}
	if opt.username == "" || opt.password == "" {
		return nil, errors.New("-username and -password must not be empty")
	}
	spec, err := readInventory(opt.inventory)
	if err != nil {
		return nil, err
	}

	// Built without simulator.Model, which leaves a temporary directory behind when killed.
	ctx, instance := simulator.NewServiceInstance(simulator.NewContext(), vpx.ServiceContent, vpx.RootFolder)
	instance.Content.About.InstanceUuid = opt.instanceUUID
	svc := simulator.New(ctx, instance)
	svc.RegisterEndpoints = true
	svc.TLS = conf
	svc.ServeMux = http.NewServeMux()
	svc.Listen = &url.URL{Host: opt.listen, User: url.UserPassword(opt.username, opt.password)}

	inv := newInventory(svc)
	g := newGate(svc, inv.hidden)
	// A pattern with a method wins over the simulator's own pattern without one.
	for _, path := range []string{vim25.Path, vim25.Path + "/vimService", "/pbm"} {
		svc.ServeMux.Handle("POST "+path, g)
	}
	registerControl(svc.ServeMux, inv, g)

	// The simulator panics when it cannot listen; and objects are created through the
	// service's own API, which needs the endpoints that NewServer registers.
	defer func() {
		if p := recover(); p != nil {
			srv, err = nil, fmt.Errorf("cannot start: %v", p)
		}
	}()
	svc.RegisterSDK(ctx.Map, vim25.Path+"/vimService")
	if err := inv.build(spec); err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	return &server{http: svc.NewServer(), inv: inv}, nil
}

func tlsConfig(cert, key string) (*tls.Config, error) {
	if (cert == "") != (key == "") {
		return nil, errors.New("-cert and -key belong together")
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}
