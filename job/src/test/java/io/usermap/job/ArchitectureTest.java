package io.usermap.job;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import org.junit.jupiter.api.Test;

/** Who may know whom, and names that say nothing. */
class ArchitectureTest {
    private static final JavaClasses OURS = new ClassFileImporter().importPackages("io.usermap");

    private static void holds(ArchRule rule) {
        rule.check(OURS);
    }

    @Test
    void nothingBelowKnowsTheJob() {
        holds(noClasses()
                .that()
                .resideInAnyPackage("io.usermap.client..", "io.usermap.sandbox..", "io.usermap.spark..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("io.usermap.job.."));
    }

    @Test
    void clientAndSandboxKnowNoSpark() {
        holds(noClasses()
                .that()
                .resideInAnyPackage("io.usermap.client..", "io.usermap.sandbox..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.apache.spark..", "io.usermap.spark..", "scala.."));
    }

    @Test
    void noCollectionOfScalaIsTouched() {
        holds(noClasses()
                .that()
                .resideInAPackage("io.usermap.job..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("scala.collection.."));
    }

    @Test
    void namesSayWhatTheyName() {
        holds(noClasses()
                .that()
                .resideOutsideOfPackage("io.usermap.guava..")
                .should()
                .haveNameMatching(".*(Util|Utils|Helper|Manager|Impl|Constants)")
                .orShould()
                .resideInAnyPackage("..util..", "..common..", "..helper..", "..impl..", "..model..", "..exception.."));
    }

    @Test
    void testsDoNotSleep() {
        holds(noClasses()
                .that()
                .haveNameMatching(".*(Test|IT)(\\$.*)?")
                .should()
                .callMethod(Thread.class, "sleep", long.class));
    }
}
