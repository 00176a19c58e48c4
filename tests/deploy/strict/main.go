// SPDX-License-Identifier: Apache-2.0

// Decodes the objects of KEDA and of Prometheus' operator among the YAML documents of the files given, strictly, into the
// types of their own Go APIs: a field that they do not know is an error. Prints one line for each.
package main

import (
	"bytes"
	"fmt"
	"os"

	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

var types = map[string]func() any{
	"keda.sh/v1alpha1/ScaledObject":           func() any { return &keda.ScaledObject{} },
	"keda.sh/v1alpha1/TriggerAuthentication":  func() any { return &keda.TriggerAuthentication{} },
	"monitoring.coreos.com/v1/ServiceMonitor": func() any { return &monitoring.ServiceMonitor{} },
	"monitoring.coreos.com/v1/PrometheusRule": func() any { return &monitoring.PrometheusRule{} },
}

func check(file string, document []byte) error {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	name := head.APIVersion + "/" + head.Kind
	make, known := types[name]
	if !known {
		return nil
	}
	object := make()
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return fmt.Errorf("%s: %s: %w", file, name, err)
	}
	if scaled, is := object.(*keda.ScaledObject); is {
		if err := keda.CheckReplicaCountBoundsAreValid(scaled); err != nil {
			return fmt.Errorf("%s: %s: %w", file, name, err)
		}
		if err := keda.ValidateTriggers(scaled.Spec.Triggers); err != nil {
			return fmt.Errorf("%s: %s: %w", file, name, err)
		}
	}
	fmt.Println(file, name)
	return nil
}

func main() {
	failed := false
	for _, file := range os.Args[1:] {
		text, err := os.ReadFile(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			if err := check(file, document); err != nil {
				fmt.Fprintln(os.Stderr, err)
				failed = true
			}
		}
	}
	if failed {
		os.Exit(1)
	}
}
