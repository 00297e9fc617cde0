// Command cases runs the official Go client (rocketmq-client-go v2.1.2) against a running name server and broker and
// prints one line per case:
//
//	PASS GS01 120ms
//	FAIL GS01 what was expected and what came
//
// It ends with 0 when every selected case passed and with 1 otherwise. Topics and groups carry an id of the run, so the
// same broker can serve many runs. Cases are independent and run at the same time; the whole run is bounded by -limit.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/rlog"
)

// offsetDirectory is the variable from which the client's package initialisation takes the folder of broadcast offsets.
const offsetDirectory = "rocketmq.client.localOffsetStoreDir"

func main() {
	namesrv := flag.String("namesrv", "127.0.0.1:9876", "name servers, separated by `;`")
	broker := flag.String("broker", "127.0.0.1:10911", "address of the broker, as it advertises itself")
	selection := flag.String("cases", "all", "ids or group names separated by commas; `all` is the core group")
	limit := flag.Duration("limit", 200*time.Second, "a case that runs longer than this fails")
	directory := flag.String("dir", "", "folder for the client's log and broadcast offsets (default: a new temporary one)")
	list := flag.Bool("list", false, "print the cases and exit")
	member := flag.String("member", "", "internal: be a consumer process of `group,topic` and print what arrives")
	flag.Parse()

	if *list {
		for _, one := range catalogue() {
			fmt.Printf("%s %s: %s\n", one.id, one.group, one.title)
		}
		return
	}
	if err := prepareClient(*directory); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	target := newTarget(strings.Split(*namesrv, ";"), *broker)
	if *member != "" {
		runMember(target, *member)
		return
	}
	selected, err := choose(*selection)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !runAll(target, selected, *limit) {
		os.Exit(1)
	}
}

// prepareClient sends the client's log to a file and its broadcast offsets to the same folder. The client reads the
// offset folder from the environment before main runs, so the program starts itself again once with it set.
func prepareClient(directory string) error {
	if directory == "" {
		directory = os.Getenv(offsetDirectory)
	}
	if directory == "" {
		made, err := os.MkdirTemp("", "rocketmq-go-cases-")
		if err != nil {
			return fmt.Errorf("cannot make a folder for the client's files, set -dir to a writable one: %w", err)
		}
		directory = made
	}
	if os.Getenv(offsetDirectory) != directory {
		return restart(directory)
	}
	rlog.SetLogLevel("warn")
	return rlog.SetOutputPath(filepath.Join(directory, "client-"+strconv.Itoa(os.Getpid())+".log"))
}

// choose turns "all", group names or ids into cases.
func choose(selection string) ([]testCase, error) {
	var chosen []testCase
	known := catalogue()
	for _, name := range strings.Split(selection, ",") {
		name = strings.TrimSpace(name)
		found := false
		for _, one := range known {
			if one.id == name || one.group == name || name == "all" && one.group == groupCore {
				chosen = append(chosen, one)
				found = true
			}
		}
		if !found {
			return nil, fmt.Errorf("no case or group is called %q; -list prints all", name)
		}
	}
	return chosen, nil
}

// runAll runs the cases side by side and reports whether all passed.
func runAll(target *target, selected []testCase, limit time.Duration) bool {
	var (
		printing sync.Mutex
		done     sync.WaitGroup
		failed   []string
	)
	start := time.Now()
	for _, one := range selected {
		done.Add(1)
		go func(one testCase) {
			defer done.Done()
			began := time.Now()
			err := one.execute(target, limit)
			printing.Lock()
			defer printing.Unlock()
			if err == nil {
				fmt.Printf("PASS %s %dms\n", one.id, time.Since(began).Milliseconds())
				return
			}
			failed = append(failed, one.id)
			fmt.Printf("FAIL %s %s\n", one.id, strings.ReplaceAll(err.Error(), "\n", " | "))
		}(one)
	}
	done.Wait()
	sort.Strings(failed)
	fmt.Printf("DONE %d cases, %d failed %v, %dms\n", len(selected), len(failed), failed, time.Since(start).Milliseconds())
	return len(failed) == 0
}
